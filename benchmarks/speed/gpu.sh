#!/bin/sh
# The rows of the speed table that need a GPU, on a machine with Python 3.12, torch 2.11 and torchvision 0.26
# that reaches no network.
#
#   1. where there is a network:   sh benchmarks/speed/gpu.sh wheels     fills benchmarks/wheels/
#   2. on the machine with a GPU:  sh benchmarks/speed/gpu.sh            needs this folder with benchmarks/wheels/
#
# Step 2 makes an environment that sees the machine's own torch, installs the wheels beside it, checks the GPU
# against the CPU, and writes JSON and tables to ${OUT:-gpu-figures}.
set -eu
cd "$(dirname "$0")/../.."
WHEELS=${WHEELS:-benchmarks/wheels}

if [ "${1:-}" = wheels ]; then
    mkdir -p "$WHEELS"
    # what crackpipe and its tests need, without torch and what torch brings
    sed -n 's/^    "\([a-z0-9_-]*\)[>=].*/\1/p' pyproject.toml | grep -v -e '^torch' -e '^ruff' -e '^mypy' -e '^openvino' |
        sort -u > "$WHEELS/names.txt"
    python3 -m pip download -q --only-binary :all: --no-deps --python-version 3.12 \
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
        --platform any -d "$WHEELS" -r "$WHEELS/names.txt"
    # their own dependencies, again without torch and its libraries
    python3 -m pip download -q --only-binary :all: --python-version 3.12 \
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
        --platform any -d "$WHEELS" \
        rasterio geopandas pyarrow zarr dask distributed scikit-image networkx click rich psutil safetensors \
        hatchling huggingface-hub pyyaml pytest hypothesis matplotlib xarray
    rm -f "$WHEELS"/torch-* "$WHEELS"/torchvision-* "$WHEELS"/nvidia_* "$WHEELS"/triton-*
    ls "$WHEELS" | wc -l
    exit 0
fi

OUT=${OUT:-gpu-figures}
mkdir -p "$OUT"
VENV=$(mktemp -d)
python3 -m venv --system-site-packages "$VENV"
PYTHON=$VENV/bin/python
# every wheel by itself: nothing may replace the machine's torch
"$PYTHON" -m pip install -q --no-index --no-deps "$WHEELS"/*.whl
"$PYTHON" -m pip install -q --no-index --no-deps --no-build-isolation -e .
"$PYTHON" -c 'import torch; print(torch.__version__, torch.cuda.get_device_name())' | tee "$OUT/machine.txt"
nvidia-smi --query-gpu=driver_version,clocks.max.sm,power.limit --format=csv | tee -a "$OUT/machine.txt"

"$PYTHON" -m pytest -q tests/model/predict/test_predictor.py tests/model/predict/test_gpu_batches.py 2>&1 | tee "$OUT/predict.txt"
STRIP=$(mktemp -d)
"$PYTHON" -m crackpipe sample "$STRIP/strip" --kind strip --size 4000x20000
for network in full lite one-convolution; do
    for batch in 16 32 64; do
        # how busy the device was, once a second, beside the figures
        nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader -l 1 > "$OUT/$network-$batch.use" &
        watching=$!
        "$PYTHON" -m crackpipe benchmark "$STRIP/strip/survey" --network "$network" --gpus 1 --batch "$batch" \
            --precision bf16 --rounds 3 --json "$OUT/$network-$batch.json" | tee "$OUT/$network-$batch.txt"
        kill "$watching"
    done
done
rm -rf "$STRIP" "$VENV"
