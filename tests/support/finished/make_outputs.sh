#!/bin/sh
# One output with the defaults, one with another configuration, in an archive that keeps the files' times.
C="--serial --device cpu --precision fp32 --weights weights.safetensors"
crackpipe run survey --out default $C
printf 'simplify_px = 0.3\ncontrast = 60.0\ntone = "srgb"\n' >crackpipe.toml
crackpipe run survey --out tuned --halo 16 --verify-inputs $C
rm -rf default/logs/* tuned/logs/*
tar --owner=0 --group=0 --numeric-owner --sort=name -cJf by_5f0e436.tar.xz survey default tuned weights.safetensors
