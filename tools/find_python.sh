#!/bin/sh
# Prints the Python that .venv is made from: $1 when given, else the first of the usual names that is new enough.
# pyenv puts a shim into PATH for every version that it has, and most of them refuse to run: behind it is the real one.
wanted='import sys; sys.exit(sys.version_info < (3, 11))'
pyenv=${PYENV_ROOT:-$HOME/.pyenv}/versions
for python in ${1:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    for candidate in "$python" "$pyenv"/*/bin/"$python"; do
        if "$candidate" -c "$wanted" >/dev/null 2>&1; then
            command -v "$candidate"
            exit 0
        fi
    done
done
found=$("${1:-python3}" --version 2>&1) || found="no ${1:-python3}"
echo "Python 3.11 or newer is needed, found ${found}. Name one with: make book PYTHON=/path/to/python3.12" >&2
exit 1
