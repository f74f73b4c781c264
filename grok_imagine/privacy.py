"""Checks and restricts who on this machine can read a file or folder.

POSIX uses file modes. Windows uses access control lists; one set on a folder also applies to files created in it later.
"""

from __future__ import annotations

import logging
import stat
import sys
from pathlib import Path

if sys.platform == "win32":
    import ctypes
    import re
    from contextlib import suppress
    from ctypes import byref, c_void_p, c_wchar_p, wintypes

    _FILE = 1  # SE_FILE_OBJECT
    _DACL = 4  # DACL_SECURITY_INFORMATION
    _PROTECTED = 0x8000_0000  # PROTECTED_DACL_SECURITY_INFORMATION: the folder above grants nothing here
    _TOKEN_QUERY, _TOKEN_USER = 8, 1
    _api = ctypes.WinDLL("advapi32", use_last_error=True)
    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.GetCurrentProcess.restype = wintypes.HANDLE
    _kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    _kernel.LocalFree.argtypes = (c_void_p,)
    _api.OpenProcessToken.argtypes = (wintypes.HANDLE, wintypes.DWORD, c_void_p)
    _api.GetTokenInformation.argtypes = (wintypes.HANDLE, ctypes.c_int, c_void_p, wintypes.DWORD, c_void_p)
    _api.ConvertSidToStringSidW.argtypes = (c_void_p, c_void_p)
    _api.ConvertStringSecurityDescriptorToSecurityDescriptorW.argtypes = (c_wchar_p, wintypes.DWORD, c_void_p, c_void_p)
    _api.ConvertSecurityDescriptorToStringSecurityDescriptorW.argtypes = (
        *(c_void_p, wintypes.DWORD, wintypes.DWORD, c_void_p, c_void_p),
    )
    _api.GetSecurityDescriptorDacl.argtypes = (c_void_p, c_void_p, c_void_p, c_void_p)
    _api.GetNamedSecurityInfoW.argtypes = (c_wchar_p, ctypes.c_int, wintypes.DWORD, *[c_void_p] * 5)
    _api.SetNamedSecurityInfoW.argtypes = (c_wchar_p, ctypes.c_int, wintypes.DWORD, *[c_void_p] * 4)
    _warned: set[Path] = set()

    def is_open_to_others(path: Path) -> bool:
        """Whether anyone but this user, administrators and the system has access; True if that cannot be read."""
        try:
            # OW is the owner, as Python's mkdir(mode=0o700) puts it.
            return not _granted(_list_of(path)) <= {*_granted(_text_of(_wanted(""))), "OW"}
        except OSError:
            return True

    def make_private(path: Path) -> None:
        """Grant access only to this user, administrators and the system. Warns once if the disk has no such lists."""
        with suppress(OSError):
            _set(path, _wanted("OICI" if path.is_dir() else ""))
        if path not in _warned and is_open_to_others(path):
            _warned.add(path)
            logging.getLogger(__name__).warning(
                "Other users can read %s: this disk does not support access control", path
            )

    def _list_of(path: Path) -> str:
        descriptor = c_void_p()
        _check(_api.GetNamedSecurityInfoW(str(path), _FILE, _DACL, None, None, None, None, byref(descriptor)))
        try:
            return _text(descriptor)
        finally:
            _kernel.LocalFree(descriptor)

    def _set(path: Path, wanted: str) -> None:
        descriptor, dacl, unused = _descriptor(wanted), c_void_p(), wintypes.BOOL()
        try:
            _true(_api.GetSecurityDescriptorDacl(descriptor, byref(unused), byref(dacl), byref(unused)))
            _check(_api.SetNamedSecurityInfoW(str(path), _FILE, _DACL | _PROTECTED, None, None, dacl, None))
        finally:
            _kernel.LocalFree(descriptor)

    def _wanted(inherited: str) -> str:
        return "D:P" + "".join(f"(A;{inherited};FA;;;{who})" for who in ("SY", "BA", _user()))

    def _granted(text: str) -> set[str]:
        """The users to whom a list grants anything; everyone (WD) if there is no list."""
        return set(re.findall(r"\((?!O?X?D;)\w+;(?:[^;)]*;){4}([^;)]+)", text)) if "(" in text else {"WD"}

    def _user() -> str:
        """The SID of the user that this process runs as."""
        token, text = wintypes.HANDLE(), c_void_p()
        _true(_api.OpenProcessToken(_kernel.GetCurrentProcess(), _TOKEN_QUERY, byref(token)))
        try:
            found = (c_void_p * 32)()  # a pointer to the SID, and the SID of at most 68 bytes
            _true(_api.GetTokenInformation(token, _TOKEN_USER, found, ctypes.sizeof(found), byref(wintypes.DWORD())))
            _true(_api.ConvertSidToStringSidW(found[0], byref(text)))
        finally:
            _kernel.CloseHandle(token)
        return _freed(text)

    def _descriptor(text: str) -> c_void_p:
        found = c_void_p()
        _true(_api.ConvertStringSecurityDescriptorToSecurityDescriptorW(text, 1, byref(found), None))
        return found

    def _text(descriptor: c_void_p) -> str:
        text = c_void_p()
        _true(_api.ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, 1, _DACL, byref(text), None))
        return _freed(text)

    def _text_of(text: str) -> str:
        """The same list as Windows writes it, with its short names of users."""
        descriptor = _descriptor(text)
        try:
            return _text(descriptor)
        finally:
            _kernel.LocalFree(descriptor)

    def _freed(text: c_void_p) -> str:
        try:
            return ctypes.wstring_at(text.value or 0)
        finally:
            _kernel.LocalFree(text)

    def _true(result: int) -> None:
        if not result:
            raise ctypes.WinError(ctypes.get_last_error())

    def _check(status: int) -> None:
        if status:
            raise ctypes.WinError(status)

else:

    def is_open_to_others(path: Path) -> bool:
        """Whether anyone but its owner has access. Raises OSError."""
        return bool(path.stat().st_mode & 0o077)

    def make_private(path: Path) -> None:
        """Set mode 0700 for a folder, 0600 for a file. Raises OSError."""
        path.chmod(0o700 if stat.S_ISDIR(path.stat().st_mode) else 0o600)


def ensure_private(path: Path) -> Path:
    """Make ``path`` private if it is not, and return it. Raises OSError."""
    if is_open_to_others(path):
        make_private(path)
    return path
