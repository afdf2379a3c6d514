"""The conditions under which chapters are executed to be stored, and compared with what is stored.

Printed numbers are compared as text. Seeds and rounding make them agree on one machine; these settings bring processors
of different ages and makes closer together, by keeping the arithmetic libraries from choosing their widest
instructions. They do not always make them equal: products can be summed in many orders. So every chapter's metadata say
what its outputs were ``made_on``, and outputs are compared to the last digit only on the same kind of machine;
elsewhere a chapter has to run, and its words are compared without their numbers.
"""

from __future__ import annotations

import platform
from pathlib import Path

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # sums in one order; also, notebooks run two at a time
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "CUDA_VISIBLE_DEVICES": "",  # a GPU adds in another order; readers in Jupyter use theirs
    "TQDM_DISABLE": "1",  # a progress bar's text is never the same twice
}
if platform.machine() == "x86_64":  # NumPy's names for its loops, OpenBLAS's for its products
    ENVIRONMENT |= {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR", "OPENBLAS_CORETYPE": "Haswell"}


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Vendor, family and model of this machine's processor, as far as the system says."""
    try:
        lines = [line.split(":", 1) for line in cpuinfo.read_text("utf8").split("\n\n")[0].splitlines()]
    except OSError:  # macOS
        return platform.processor() or platform.machine()
    told = {name.strip(): value.strip() for name, value in (line for line in lines if len(line) == 2)}
    if "vendor_id" in told:
        return f"{told['vendor_id']} family {told.get('cpu family')} model {told.get('model')}"
    return f"implementer {told.get('CPU implementer')} part {told.get('CPU part')}"  # ARM


def machine() -> str:
    """What printed digits depend on besides code, data and seeds: system, processor, torch, NumPy."""
    import numpy  # imported here since --no-run needs neither
    import torch

    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {processor()}, torch {torch.__version__}, numpy {numpy.__version__}"


def on_toyshop() -> str:
    """Why chapters run on simulated clicks here: a line to print, or "" if they have eshop."""
    from gru4rec_lite import datasets  # imported here since it imports pandas

    try:
        datasets.load("eshop")
    except datasets.DatasetUnavailable:
        return "eshop can be neither downloaded nor found in $GRU4REC_LITE_DATA, so chapters run on toyshop"
    return ""
