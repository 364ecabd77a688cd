/* A small disk without the right to mount one: what is written below QUOTA_FOLDER may take QUOTA_BYTES, and no more.
 *
 * Preloaded by the tests only (LD_PRELOAD), where neither a mount nor a user namespace is allowed. Past the quota
 * write, pwrite, writev, fwrite, ftruncate, fallocate, mkdir and the making of a file fail with ENOSPC, a write that
 * would cross it is cut short as a disk does it, and statvfs says what is left. What is there is counted anew whenever
 * it matters, so that room that somebody else makes is seen at once. Maps of files are not watched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PATH 4096
#define BLOCK 4096
#define NEAR (4 << 20)  /* closer to the quota than this, every write counts anew */
#define FRESH 0.05      /* seconds for which a count is good farther away */

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static long long used, left_;
static double counted_at = -1;

static const char *folder(void) {
    static const char *found;
    if (!found) found = getenv("QUOTA_FOLDER") ? getenv("QUOTA_FOLDER") : "";
    return *found ? found : NULL;
}

static long long quota(void) {
    static long long found = -1;
    if (found < 0) found = getenv("QUOTA_BYTES") ? atoll(getenv("QUOTA_BYTES")) : 0;
    return found;
}

static int below(const char *path) {
    size_t length = folder() ? strlen(folder()) : 0;
    return length && strncmp(path, folder(), length) == 0 && (path[length] == '/' || !path[length]);
}

static long long rounded(long long size) { return (size + BLOCK - 1) / BLOCK * BLOCK; }

static int add(const char *path, const struct stat *now, int kind, struct FTW *where) {
    (void)path; (void)where;
    if (kind == FTW_F) used += rounded(now->st_size);
    return 0;
}

/* Bytes left, counted now or a moment ago; `taking` of them are taken as used until the next count. */
static long long left(long long taking) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double at = now.tv_sec + now.tv_nsec / 1e9;
    pthread_mutex_lock(&guard);
    if (counted_at < 0 || at - counted_at > FRESH || left_ < NEAR) {
        used = 0;
        nftw(folder(), add, 32, FTW_PHYS);
        left_ = quota() - used;
        counted_at = at;
    }
    long long found = left_ < 0 ? 0 : left_;
    left_ -= taking;
    pthread_mutex_unlock(&guard);
    return found;
}

static int ours(int fd, struct stat *now) {
    char link[64], path[PATH];
    if (!folder()) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path) && fstat(fd, now) == 0 && S_ISREG(now->st_mode);
}

/* How much of `size` bytes at `at` (-1: at the end) may be written; -1 and ENOSPC when none. */
static ssize_t allowed(int fd, size_t size, off_t at) {
    struct stat now;
    if (!size || !ours(fd, &now)) return size;
    if (at < 0) at = (fcntl(fd, F_GETFL) & O_APPEND) ? now.st_size : lseek(fd, 0, SEEK_CUR);
    long long room = rounded(now.st_size) - at;  /* what the file has already */
    if ((long long)size <= room) return size;
    room = (room > 0 ? room : 0) + left((long long)size - (room > 0 ? room : 0));
    if (room <= 0) { errno = ENOSPC; return -1; }
    return (long long)size < room ? (ssize_t)size : (ssize_t)room;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    ssize_t may = allowed(fd, size, -1);
    return may < 0 ? -1 : real(fd, data, may);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    ssize_t may = allowed(fd, size, at);
    return may < 0 ? -1 : real(fd, data, may, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    ssize_t may = allowed(fd, size, at);
    return may < 0 ? -1 : real(fd, data, may, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    ssize_t may = allowed(fd, size, -1);
    if (may == (ssize_t)size) return real(fd, parts, count);
    for (int i = 0; may > 0 && i < count; i++)  /* cut short: the first part that says anything, or a part of it */
        if (parts[i].iov_len) {
            REAL(write);
            return real(fd, parts[i].iov_base, parts[i].iov_len < (size_t)may ? parts[i].iov_len : (size_t)may);
        }
    return may;
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    REAL(fwrite);
    size_t bytes = size * count;
    if (bytes && folder()) {
        ssize_t may = allowed(fileno(file), bytes, -1);
        if (may < (ssize_t)bytes) { errno = ENOSPC; return 0; }
    }
    return real(data, size, count, file);
}

static int may_grow(int fd, off_t to) {
    struct stat now;
    if (!ours(fd, &now) || to <= rounded(now.st_size)) return 1;
    if (to - rounded(now.st_size) <= left(to - rounded(now.st_size))) return 1;
    errno = ENOSPC;
    return 0;
}

int ftruncate(int fd, off_t to) {
    REAL(ftruncate);
    return may_grow(fd, to) ? real(fd, to) : -1;
}

int ftruncate64(int fd, off64_t to) {
    REAL(ftruncate64);
    return may_grow(fd, to) ? real(fd, to) : -1;
}

int fallocate(int fd, int mode, off_t at, off_t size) {
    REAL(fallocate);
    return may_grow(fd, at + size) ? real(fd, mode, at, size) : -1;
}

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
    REAL(fallocate64);
    return may_grow(fd, at + size) ? real(fd, mode, at, size) : -1;
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
    REAL(posix_fallocate64);
    return may_grow(fd, at + size) ? real(fd, at, size) : ENOSPC;
}

int posix_fallocate(int fd, off_t at, off_t size) {
    REAL(posix_fallocate);
    return may_grow(fd, at + size) ? real(fd, at, size) : ENOSPC;
}

static int may_make(const char *path) {
    if (!folder() || !below(path) || access(path, F_OK) == 0 || left(0) >= BLOCK) return 1;
    errno = ENOSPC;
    return 0;
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return may_make(path) ? real(path, mode) : -1;
}

int open(const char *path, int flags, ...) {
    REAL(open);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return flags & O_CREAT && !may_make(path) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return flags & O_CREAT && !may_make(path) ? -1 : real(path, flags, mode);
}

static void tell(const char *path, struct statvfs *out) {
    if (!below(path)) return;
    out->f_bsize = out->f_frsize = BLOCK;
    out->f_blocks = quota() / BLOCK;
    out->f_bfree = out->f_bavail = left(0) / BLOCK;
}

int statvfs(const char *path, struct statvfs *out) {
    REAL(statvfs);
    int done = real(path, out);
    if (done == 0) tell(path, out);
    return done;
}

int statvfs64(const char *path, struct statvfs64 *out) {
    REAL(statvfs64);
    int done = real(path, out);
    if (done == 0) tell(path, (struct statvfs *)out);  /* the same on 64 bits */
    return done;
}
