"""Keep freed memory in the process while a network works on a CPU.

glibc hands every large freed block back to the kernel and asks for it again a moment later, and each page is cleared
anew. A convolutional network allocates hundreds of such blocks a step: up to half of the time was spent there. It is
set for the whole process, so the command line and the trainings do it and importing the package never does.
"""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # parameters of mallopt(3)


def keep_freed_memory() -> bool:
    """Ask glibc to reuse freed blocks instead of returning them.

    Returns:
        Whether it was asked; False on other systems and C libraries, where nothing is done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return bool(library.mallopt(_M_MMAP_MAX, 0)) and bool(library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
