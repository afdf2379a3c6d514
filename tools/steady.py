"""The conditions under which chapters are executed to be stored, and compared with what is stored.

Printed numbers are compared as text. Seeds and rounding make them agree on one machine; these settings make processors
of different age and make agree too, by keeping the arithmetic libraries from choosing their widest instructions.
"""

from __future__ import annotations

import platform

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # sums in one order; and notebooks run two at a time
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "CUDA_VISIBLE_DEVICES": "",  # a GPU adds in another order; readers in Jupyter use theirs
    "TQDM_DISABLE": "1",  # a progress bar's text is never twice the same
}


def unlike_stored() -> str:
    """Why outputs here cannot equal the stored ones: a line to print, or "" when they can."""
    here = f"{platform.system()} {platform.machine()}"
    if here != "Linux x86_64":
        return f"the stored outputs are of Linux x86_64, this is {here}"
    from gru4rec_lite import datasets  # late: imports pandas

    try:
        datasets.load("eshop")
    except datasets.DatasetUnavailable:
        return "eshop can be neither downloaded nor found in $GRU4REC_LITE_DATA, so chapters run on toyshop"
    return ""
