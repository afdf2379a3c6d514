#!/bin/sh
# Prints the Python that .venv is made from: $1 when given, else the first of the usual names that is new enough.
wanted='import sys; sys.exit(sys.version_info < (3, 11))'
for python in ${1:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if "$python" -c "$wanted" >/dev/null 2>&1; then
        command -v "$python"
        exit 0
    fi
done
found=$("${1:-python3}" --version 2>&1) || found="no ${1:-python3}"
echo "Python 3.11 or newer is needed, found ${found}. Name one with: make book PYTHON=/path/to/python3.12" >&2
exit 1
