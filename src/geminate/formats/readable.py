"""What Arrow and the system say of a file that cannot be read, in our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from geminate.errors import AccessError, PromptError


@contextmanager
def readable(name: str) -> Iterator[None]:
    """A block in which what Arrow or the system say of a file becomes our error about that file."""
    try:
        yield
    except PermissionError as error:
        raise AccessError("may not be read", where=name, remedy="check its rights") from error
    except FileNotFoundError as error:
        raise PromptError("is gone", where=name, remedy="run again once it is back") from error
    except UnicodeError as error:
        raise PromptError(f"not valid text ({error})", where=name, remedy="save it as UTF-8") from error
    except (OSError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        if "Truncated compressed stream" in reason:
            raise PromptError("its compressed data ends early", where=name, remedy="copy it again") from error
        raise PromptError(f"cannot be read ({reason})", where=name, remedy="is it what its suffix says?") from error
