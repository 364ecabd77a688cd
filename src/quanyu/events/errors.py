"""What can go wrong at the door of events, in words that say how to mend it."""

from __future__ import annotations

from quanyu.kernel.errors import BadRequest, Conflict, Denied, Invalid, NotFound, QuanyuError, TooLarge, Unavailable
from quanyu.kernel.label import Label, same


class LogUnavailable(Unavailable):
    """The log cannot be written now; nothing of this request was promised."""

    code = "log_unavailable"


class BacklogFull(LogUnavailable):
    """Too much of those who flood waits to be worked off."""

    status = 429
    code = "backlog_full"


class LogUnreadable(QuanyuError):
    """A frame of the log was sealed with another key."""

    code = "log_unreadable"


class BooksOutOfStep(Conflict):
    """A batch does not begin where its writer's books end: another worker got there first."""

    code = "books_out_of_step"


def log_full(free: int, reserve: int) -> LogUnavailable:
    """The disk is nearly full, so nothing more is accepted before it really is."""
    return LogUnavailable(
        title=Label("磁盘空间不足，暂停接收事件", "Disk nearly full: events are not accepted"),
        detail=Label(
            f"剩余 {free >> 20} MB，低于保留的 {reserve >> 20} MB；请清理数据目录所在磁盘",
            f"{free >> 20} MB left, below the reserve of {reserve >> 20} MB; free space on the data folder's disk",
        ),
        retry_after=30,
    )


def log_broken(cause: str) -> LogUnavailable:
    """Writing or syncing failed; the writer goes on in a fresh segment."""
    return LogUnavailable(
        title=Label("事件日志写入失败，请稍后重试", "The event log could not be written; try again"),
        detail=Label(f"系统返回：{cause}", f"The system said: {cause}"),
        retry_after=5,
    )


def log_busy() -> LogUnavailable:
    """More is waiting for the disk than may wait."""
    return LogUnavailable(
        "log_busy",
        Label("接收过快，请稍后重试", "Too much at once; try again"),
        detail=Label("等待落盘的数据已达上限", "The bytes waiting for the disk have reached their limit"),
        retry_after=1,
    )


def backlog_full(limit: int) -> BacklogFull:
    """Whoever floods must wait; others are still accepted."""
    return BacklogFull(
        title=Label("积压已达上限，请稍后重试", "The backlog is full; try again"),
        detail=Label(
            f"大流量来源等待处理的数据超过 {limit / 1e6:g} MB（QUANYU_MAX_BACKLOG_BYTES）；处理一部分后自动恢复",
            f"More than {limit / 1e6:g} MB of sources that flood wait (QUANYU_MAX_BACKLOG_BYTES); "
            "accepted again once a part is worked off",
        ),
        retry_after=2,
    )


def log_closed() -> LogUnavailable:
    """The process is stopping."""
    return LogUnavailable(
        "log_closed", Label("服务正在停止，请重试", "The service is stopping; try again"), retry_after=5
    )


def log_unreadable(writer: str, segment: int, offset: int) -> LogUnreadable:
    """The log cannot be opened with the present master key."""
    return LogUnreadable(
        title=Label("事件日志无法解密", "The event log cannot be opened"),
        detail=Label(
            f"{writer}/{segment}@{offset}：请恢复原来的 master.key 或 QUANYU_MASTER_KEY，之后会自动继续",
            f"{writer}/{segment}@{offset}: restore the original master.key or QUANYU_MASTER_KEY; work then goes on",
        ),
    )


def out_of_step(writer: str, expected: str, found: str) -> BooksOutOfStep:
    """Two workers read the same writer's log."""
    return BooksOutOfStep(
        title=Label("事件账本位置不一致", "The books of events are out of step"),
        detail=Label(
            f"写入者 {writer}：账本在 {expected}，批次从 {found} 开始；同一时间只应有一个进程处理",
            f"Writer {writer}: the books are at {expected}, the batch begins at {found}; one process at a time",
        ),
    )


def sources_unavailable() -> Unavailable:
    """The state store does not answer, so nobody can say whose write key it is."""
    return Unavailable(
        "state_unavailable",
        Label("状态库没有响应，请稍后重试", "The state store does not answer; try again"),
        retry_after=5,
    )


def write_key_unknown() -> QuanyuError:
    """The write key belongs to no active source."""
    error = QuanyuError(
        "unknown_write_key",
        Label("写入密钥无效", "Unknown write key"),
        detail=Label(
            "请在控制台「数据源」核对写入密钥；来源可能已停用",
            "Check the write key under Data sources in the console; the source may be disabled",
        ),
    )
    error.status = 401
    return error


def stream_broken(kind: str, why: str) -> BadRequest:
    """A stream that is damaged or ends too early; what came before is kept."""
    return BadRequest(
        "stream_broken",
        Label(f"{kind} 数据流损坏", f"The {kind} stream is broken"),
        detail=Label(
            f"{why}；已接收的行已保存，修好后整体重发不会重复",
            f"{why}; the rows that were taken are kept, and sending all of it again stores nothing twice",
        ),
    )


def stream_of_another_kind(name: str) -> BadRequest:
    """A body that is neither lines of JSON nor an Arrow stream."""
    return BadRequest(
        "stream_of_another_kind",
        Label(f"收到的是 {name}", f"This is a {name}"),
        detail=Label(
            "请改为每行一个 JSON 对象（NDJSON），或 Arrow IPC 流格式",
            "Send one JSON object a line (NDJSON), or Arrow's IPC stream format",
        ),
    )


def line_too_long(row: int, limit: int) -> TooLarge:
    """One line is longer than may be held."""
    return TooLarge(
        "line_too_long",
        Label("单行过长", "A line is too long"),
        detail=Label(f"第 {row} 行超过 {limit} 字节", f"Line {row} has more than {limit} bytes"),
    )


def message_too_long(row: int, limit: int) -> TooLarge:
    """One message of an Arrow stream holds more than may be held."""
    return TooLarge(
        "record_batch_too_large",
        Label("Arrow 批次过大", "A record batch is too large"),
        detail=Label(
            f"从第 {row} 行开始的批次超过 {limit} 字节或一百万行；请减小 record batch",
            f"The record batch from row {row} has more than {limit} bytes or a million rows; make them smaller",
        ),
    )


def buffers_compressed() -> BadRequest:
    """Arrow buffers compressed by LZ4 or ZSTD."""
    return BadRequest(
        "buffers_compressed",
        Label("不接受压缩的 Arrow 缓冲区", "Compressed Arrow buffers are not taken"),
        detail=Label(
            "请关闭 IPC 压缩；需要压缩时对整个请求体用 gzip",
            "Switch IPC compression off; to compress, use gzip around the whole body",
        ),
    )


def type_unknown(name: str) -> Invalid:
    """A column of a type that means nothing here."""
    return Invalid(
        "table_refused",
        Label("表结构不符合要求", "The table's columns are not as asked"),
        detail=Label(f"不支持的 Arrow 类型 {name}", f"The Arrow type {name} is not supported"),
    )


def body_too_large(limit: int) -> TooLarge:
    """The body, or what it decompresses to, is larger than is taken."""
    return TooLarge(
        "body_too_large",
        Label("请求体过大", "The body is too large"),
        detail=Label(
            f"解压后上限 {limit} 字节；请分成更小的批次发送",
            f"The limit is {limit} bytes after decompression; send smaller batches",
        ),
    )


def body_unreadable(reason: Label, detail: str) -> BadRequest:
    """The body is not what the protocol says; it was kept in quarantine."""
    return BadRequest(
        "body_unreadable",
        reason,
        detail=Label(f"{detail}；原文已进入隔离区，可修正后重放", f"{detail}; the raw body is kept in quarantine"),
    )


def source_not_found(source: str) -> NotFound:
    """There is no such source in the caller's brand."""
    return NotFound(
        "source_not_found",
        Label("没有这个数据源", "There is no such source"),
        detail=Label(f"数据源 {source}", f"Source {source}"),
    )


def source_vanished(source: str) -> Conflict:
    """The log holds events of a source that state does not know: state is older than the log."""
    return Conflict(
        "source_vanished",
        Label("事件日志里的数据源在状态库中不存在", "The log names a source that state does not know"),
        detail=Label(
            f"数据源 {source}：状态库可能来自较旧的备份；请重新建立同名数据源，处理会自动继续",
            f"Source {source}: state may come from an older backup; make the source again and work goes on",
        ),
    )


def source_taken(source: str) -> Conflict:
    """The key of the source is in use."""
    return Conflict(
        "source_taken",
        Label("数据源标识已被使用", "The source's key is taken"),
        detail=Label(f"请换一个标识：{source}", f"Choose another key than {source}"),
    )


def quarantined_not_found(quarantine_id: str) -> NotFound:
    """There is no such quarantined item in the caller's brand."""
    return NotFound(
        "quarantined_not_found",
        Label("隔离区没有这条数据", "There is no such quarantined item"),
        detail=Label(quarantine_id, quarantine_id),
    )


def quarantined_settled(status: str) -> Conflict:
    """It was replayed or discarded before."""
    now = {"replayed": Label("已重放", "replayed"), "discarded": Label("已放弃", "discarded")}.get(status, same(status))
    return Conflict(
        "quarantined_settled",
        Label("这条数据已处理过", "This item was dealt with before"),
        detail=Label(f"当前状态：{now.zh}", f"It is {now.en}"),
    )


def quarantined_masked() -> Denied:
    """Whoever read the raw text masked would write the mask over what it hides."""
    return Denied(
        "quarantine_masked",
        Label("你看到的原文是打码的，不能改写", "You see this raw text masked, so you cannot rewrite it"),
        detail=Label(
            "可以按原样重放、用批量重放的规则修改，或请有权查看个人信息的同事处理",
            "Replay it as it is, mend it with the rules of a replay in bulk, or ask somebody who may see personal data",
        ),
    )


def nothing_to_replay() -> Conflict:
    """No held item is chosen, or another replay has them all."""
    return Conflict(
        "nothing_to_replay",
        Label("没有可重放的数据", "There is nothing to replay"),
        detail=Label(
            "所选条件下没有待处理的数据，或它们正在另一次重放中；请调整条件或等那次重放结束",
            "No held item fits the filter, or another replay has them; change the filter or wait for it to end",
        ),
    )


def edit_invalid(number: int, why: Label) -> Invalid:
    """An edit of a replay in bulk, counted from 1, does not name what it changes."""
    return Invalid(
        "edit_invalid",
        Label("修改规则有误", "A rule of the replay is not valid"),
        detail=Label(f"第 {number} 条：{why.zh}", f"Rule {number}: {why.en}"),
    )


def replay_not_found(replay_id: str) -> NotFound:
    """There is no such replay in the caller's brand."""
    return NotFound(
        "replay_not_found", Label("没有这次重放", "There is no such replay"), detail=Label(replay_id, replay_id)
    )


def replay_ended(status: str) -> Conflict:
    """A replay that ended cannot be stopped."""
    return Conflict(
        "replay_ended",
        Label("这次重放已经结束", "This replay has ended"),
        detail=Label(f"当前状态：{status}", f"Its status is {status}"),
    )


def plan_invalid(why: Label, where: str = "") -> Invalid:
    """A tracking plan cannot be read or contradicts itself: why, and at which place of it."""
    detail = Label(f"{where}：{why.zh}", f"{where}: {why.en}") if where else why
    return Invalid("plan_invalid", Label("埋点方案有误", "The tracking plan is not valid"), detail=detail)


def plan_changed(version: int) -> Conflict:
    """Somebody published another version since this one was opened."""
    return Conflict(
        "plan_changed",
        Label("埋点方案已被他人更新", "The tracking plan was changed meanwhile"),
        detail=Label(f"当前为第 {version} 版，请重新打开后再改", f"It is at version {version}; open it again"),
    )


def plan_version_not_found(version: int) -> NotFound:
    """The brand's plan has no such version."""
    return NotFound(
        "plan_version_not_found",
        Label("没有这个版本", "There is no such version"),
        detail=Label(f"第 {version} 版", f"Version {version}"),
    )


def problem_not_found(problem_id: str) -> NotFound:
    """There is no such problem in the caller's brand."""
    return NotFound(
        "problem_not_found", Label("没有这个问题", "There is no such problem"), detail=Label(problem_id, problem_id)
    )


def table_refused(detail: Label) -> Invalid:
    """A table handed in by a connector lacks a column or has one of a wrong type."""
    return Invalid("table_refused", Label("表结构不符合要求", "The table's columns are not as asked"), detail=detail)


RETENTION_GENERAL = Label("这是「其余事件」的规则，本身不能再跟随其余事件", "This is the rule of all others")


def retention_days(most: int) -> Label:
    """How a number of days is given."""
    return Label(
        f"keep 为 days 时请给出天数（1 到 {most}），其他情况不要给天数",
        f"Give days (1 to {most}) when keep is days, and none otherwise",
    )


def retention_invalid(detail: Label) -> Invalid:
    """A rule of retention that makes no sense."""
    return Invalid("retention_invalid", Label("保留规则不对", "The retention rule is wrong"), detail=detail)


def retention_unconfirmed(events: int, begins: str, before: str) -> Conflict:
    """The rule would remove events, and nobody confirmed that."""
    return Conflict(
        "retention_unconfirmed",
        Label("这条规则会删除历史事件，请先确认", "The rule would remove events from history; confirm it"),
        detail=Label(
            f"{before} 之前的 {events} 条事件将被删除，最早一天是 {begins}；确认后带上 confirm 再提交",
            f"{events} events before {before} would go, the oldest of {begins}; send it again with confirm",
        ),
    )


def event_kind_not_found(name: str) -> NotFound:
    """The brand has no events of this kind."""
    return NotFound("event_kind_not_found", Label("没有这种事件", "There is no such kind"), detail=Label(name, name))
