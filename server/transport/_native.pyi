"""The compiled fan-out as Python sees it; `_fanout.h` has the declarations, `scripts/build_fanout.py` the build."""

from typing import Any

class _Ffi:
    @property
    def CData(self) -> type[Any]: ...  # noqa: N802 cffi's own name
    @property
    def NULL(self) -> Any: ...  # noqa: N802 cffi's own name
    def new(self, declaration: str, initial: object = ...) -> Any: ...
    def cast(self, declaration: str, value: object) -> Any: ...
    def gc(self, value: Any, free: object, size: int = ...) -> Any: ...
    def string(self, value: Any) -> bytes: ...

class _Lib:
    MAX_QUEUED: int
    MAX_PACKET_OCTETS: int
    MAX_RUN_DATAGRAMS: int
    MAX_RUN_OCTETS: int
    SENT_LOG_PACKETS: int
    def fanout_new(self, protect: Any) -> Any: ...
    def fanout_free(self, fanout: Any) -> None: ...
    def fanout_counts(self, fanout: Any) -> Any: ...
    def fanout_forward(
        self,
        fanout: Any,
        data: bytes,
        length: int,
        payload_offset: int,
        payload_end: int,
        extensions_offset: int,
        one_byte: bool,
        marker: bool,
        sequence: int,
        timestamp: int,
        copies: Any,
        first: int,
        count: int,
        abs_send_time: int,
        now: float,
    ) -> int: ...
    def fanout_flush(self, fanout: Any, fd: int, can_segment: bool) -> int: ...
    def fanout_forget(self, fanout: Any, viewer: Any) -> None: ...
    def fanout_source_digest(self) -> Any: ...

ffi: _Ffi
lib: _Lib
