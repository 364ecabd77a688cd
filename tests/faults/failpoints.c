/* Ends a process at the n-th write, sync, rename or removal below a folder, from inside the C library's calls, so that
 * Python, SQLite and the Rust of delta-rs are all met. Preloaded by the tests only (LD_PRELOAD); `fp_arm` sets it.
 *
 * A write dies half done. With `power`, everything that was never synced goes with it, as after a power cut: files
 * are cut back to their last synced length, SQLite's write-ahead log to what was synced since it last began anew. The
 * database itself is left out of that (it is written after its log was synced), and names are taken to be durable.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE, SYNC, RENAME, UNLINK, STATE_WRITE, STATE_SYNC, COMMIT, ACKNOWLEDGE, KINDS };
#define FILES 4096
#define PATH 512

static char folder[PATH];
static size_t folder_length;
static int armed_kind = -1, power;
static long armed_at, counts[KINDS];
static struct { char path[PATH]; off_t synced; int used; } files[FILES];
static int files_used;
static struct { char path[PATH]; off_t top, synced; } wal; /* top: the end of what was written since it began anew */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void die(void) {
    if (power)
        for (int i = 0; i < files_used; i++) {
            struct stat now;
            if (files[i].used && stat(files[i].path, &now) == 0 && now.st_size > files[i].synced)
                if (truncate(files[i].path, files[i].synced) != 0) _exit(99);
        }
    struct stat log;
    if (power && wal.path[0] && stat(wal.path, &log) == 0 && log.st_size > wal.synced)
        if (truncate(wal.path, wal.synced) != 0) _exit(97);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int below(const char *path) {
    return folder_length && strncmp(path, folder, folder_length) == 0;
}

static int of_state(const char *path) { return strstr(path, "/state.sqlite") != NULL; }

static int of_wal(const char *path) { return strstr(path, "/state.sqlite-wal") != NULL; }

static int path_of(int fd, char *out) {
    char link[64];
    if (!folder_length) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, out, PATH - 1);
    if (length <= 0) return 0;
    out[length] = 0;
    struct stat now;
    return below(out) && fstat(fd, &now) == 0 && S_ISREG(now.st_mode);
}

static int slot(const char *path) {
    for (int i = 0; i < files_used; i++)
        if (files[i].used && strcmp(files[i].path, path) == 0) return i;
    return -1;
}

static void note(const char *path, off_t synced, int overwrite) {
    pthread_mutex_lock(&guard);
    int at = slot(path);
    if (at < 0 && files_used < FILES) {
        at = files_used++;
        snprintf(files[at].path, PATH, "%s", path);
        files[at].used = 1;
        files[at].synced = synced;
    } else if (at >= 0 && overwrite)
        files[at].synced = synced;
    pthread_mutex_unlock(&guard);
}

/* Something goes into the write-ahead log. */
static void logged(int fd, const char *path, off_t at, size_t size) {
    struct stat now;
    if (!of_wal(path) || fstat(fd, &now) != 0) return;
    pthread_mutex_lock(&guard);
    if (!wal.path[0]) {
        snprintf(wal.path, PATH, "%s", path);
        wal.top = wal.synced = now.st_size;
    }
    if (at == 0) wal.top = wal.synced = 0;
    if (at + (off_t)size > wal.top) wal.top = at + (off_t)size;
    pthread_mutex_unlock(&guard);
}

/* Whether the process must end at this point. */
static int hit(int kind) {
    long at = __atomic_add_fetch(&counts[kind], 1, __ATOMIC_SEQ_CST);
    return kind == armed_kind && at == armed_at;
}

void fp_arm(const char *path, int kind, long at, int with_power) {
    snprintf(folder, PATH, "%s", path);
    memset(counts, 0, sizeof counts);
    files_used = 0;
    memset(&wal, 0, sizeof wal);
    armed_kind = kind;
    armed_at = at;
    power = with_power;
    folder_length = strlen(folder);
}

long fp_count(int kind) { return counts[kind]; }

/* Points that only Python knows: commits and acknowledgements. */
void fp_pass(int kind) {
    if (folder_length && hit(kind)) die();
}

static int writing(int fd, char *path) {
    struct stat now;
    if (!path_of(fd, path)) return 0;
    if (of_state(path)) return 1 + hit(STATE_WRITE);
    if (fstat(fd, &now) == 0) note(path, now.st_size, 0);
    return 1 + hit(WRITE);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    char path[PATH];
    if (writing(fd, path) > 1) { if (real(fd, data, size / 2) < 0) _exit(98); die(); }
    return real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    char path[PATH];
    int point = writing(fd, path);
    if (point) logged(fd, path, at, size);
    if (point > 1) { if (real(fd, data, size / 2, at) < 0) _exit(98); die(); }
    return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    char path[PATH];
    int point = writing(fd, path);
    if (point) logged(fd, path, at, size);
    if (point > 1) { if (real(fd, data, size / 2, at) < 0) _exit(98); die(); }
    return real(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    char path[PATH];
    if (writing(fd, path) > 1) { if (real(fd, parts, count > 1 ? count / 2 : 0) < 0) _exit(98); die(); }
    return real(fd, parts, count);
}

static void syncing(int fd) {
    char path[PATH];
    if (!path_of(fd, path)) {
        struct stat now;
        if (folder_length && below(path) && fstat(fd, &now) == 0 && S_ISDIR(now.st_mode) && hit(SYNC)) die();
        return;
    }
    if (hit(of_state(path) ? STATE_SYNC : SYNC)) die();
}

static void synced(int fd) {
    char path[PATH];
    struct stat now;
    if (!path_of(fd, path) || fstat(fd, &now) != 0) return;
    if (!of_state(path)) note(path, now.st_size, 1);
    if (!of_wal(path)) return;
    pthread_mutex_lock(&guard);
    wal.synced = wal.top;
    pthread_mutex_unlock(&guard);
}

int fsync(int fd) {
    REAL(fsync);
    syncing(fd);
    int done = real(fd);
    if (done == 0) synced(fd);
    return done;
}

int fdatasync(int fd) {
    REAL(fdatasync);
    syncing(fd);
    int done = real(fd);
    if (done == 0) synced(fd);
    return done;
}

static void renaming(const char *from, const char *to) {
    if ((below(from) || below(to)) && hit(RENAME)) die();
}

static void renamed(const char *from, const char *to, int keep) {
    if (!below(from)) return;
    pthread_mutex_lock(&guard);
    int old = slot(from), new = slot(to);
    if (old >= 0) {
        if (new < 0 && files_used < FILES) new = files_used++;
        if (new >= 0) {
            snprintf(files[new].path, PATH, "%s", to);
            files[new].synced = files[old].synced;
            files[new].used = 1;
        }
        if (!keep) files[old].used = 0;
    } else if (new >= 0)
        files[new].used = 0;
    pthread_mutex_unlock(&guard);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    renaming(from, to);
    int done = real(from, to);
    if (done == 0) renamed(from, to, 0);
    return done;
}

int renameat2(int a, const char *from, int b, const char *to, unsigned int flags) {
    REAL(renameat2);
    renaming(from, to);
    int done = real(a, from, b, to, flags);
    if (done == 0) renamed(from, to, 0);
    return done;
}

int link(const char *from, const char *to) {
    REAL(link);
    renaming(from, to);
    int done = real(from, to);
    if (done == 0) renamed(from, to, 1);
    return done;
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
    REAL(linkat);
    renaming(from, to);
    int done = real(a, from, b, to, flags);
    if (done == 0) renamed(from, to, 1);
    return done;
}

static void unlinking(const char *path) {
    if (below(path) && !of_state(path) && hit(UNLINK)) die();
}

static void unlinked(const char *path) {
    pthread_mutex_lock(&guard);
    int at = slot(path);
    if (at >= 0) files[at].used = 0;
    pthread_mutex_unlock(&guard);
}

int unlink(const char *path) {
    REAL(unlink);
    unlinking(path);
    int done = real(path);
    if (done == 0) unlinked(path);
    return done;
}

int unlinkat(int at, const char *path, int flags) {
    REAL(unlinkat);
    unlinking(path);
    int done = real(at, path, flags);
    if (done == 0) unlinked(path);
    return done;
}
