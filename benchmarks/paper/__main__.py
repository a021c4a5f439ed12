"""The tables and figures of the paper on Context-CrackNet (arXiv 2501.14413), as commands.

docs/evidence/paper.md tells what they show.

python benchmarks/paper --help
"""

import platform
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import baselines
import click
import cost
import paper_tables
import torch
import trained

from crackpipe.model.predict.predictor import resolve_device


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Make the paper's tables and figures."""


def _plan(**values: Any) -> trained.Plan:
    """What is asked for, told first."""
    plan = trained.Plan(**values | {"device": resolve_device(values["device"])})
    name = torch.cuda.get_device_name(plan.device) if plan.device != "cpu" else f"{platform.machine()} CPU"
    judged = "all photographs" if plan.photographs is None else f"{plan.photographs} photographs of each set"
    click.echo(f"Budget {plan.budget}: {trained.describe(plan.budget)}; recipe {plan.recipe}.")
    click.echo(f"Device: {name}, torch {torch.__version__}. Judged on {judged} kept from training.\n")
    return plan


def of_training(command: Callable[..., None]) -> Callable[..., None]:
    """Arguments and options that Tables 3 and 6 share."""
    path = click.Path(path_type=Path)
    for decorate in (
        click.option(
            "--validation-share", default=0.0, help="Kept from training of sets of one's own, 0..1."
        ),
        click.option("--photographs", type=int, help="Judged of each set, the first by name; default all."),
        click.option("--device", default="auto", show_default=True),
        click.option("--recipe", type=click.Choice(["ours", "paper"]), default="ours", show_default=True),
        click.option("--budget", default="10m", show_default=True, help="10m, 2h, 200t (tiles) or full."),
        click.option("--out", type=path, default=Path("runs/paper"), show_default=True),
        click.argument("data", nargs=-1, required=True, type=path),
    ):
        command = decorate(command)
    return command


@main.command()
@of_training
@click.option("--encoder", type=click.Choice(list(baselines.ENCODERS)), default="lite0", show_default=True)
@click.option("--networks", default=",".join(baselines.NAMES), show_default=True)
@click.option("--seed", default=0, show_default=True)
def table3(networks: str, seed: int, **values: Any) -> None:
    """Train all networks alike and print Tables 3, 4 and 5."""
    plan = _plan(**values)
    results, pictures = {}, {}
    for name in networks.split(","):
        run = trained.Run(name, seed)
        results[name] = trained.result(plan, run)
        pictures[name] = trained.pictures_of(plan.out / run.folder)
    for figure in paper_tables.FIGURES:
        click.echo(paper_tables.table3(results, figure) + "\n")
    click.echo(paper_tables.table4(results) + "\n")
    if "lite" in results and len(results) > 1:
        click.echo(paper_tables.table5(results, pictures, "lite") + "\n")
    for name, each in results.items():
        start = "from ImageNet" if each["imagenet"] else "random"
        spent = f"{each['training_s']:.0f} s ({each['training_cpu_s']:.0f} s of CPU)"
        click.echo(f"{name}: {each['tiles']} tiles in {spent}, encoder {start}, at {each['threshold']:.3f}")


@main.command()
@of_training
@click.option("--network", type=click.Choice(list(baselines.OURS)), default="lite", show_default=True)
@click.option("--seeds", default=3, show_default=True)
def table6(network: str, seeds: int, **values: Any) -> None:
    """Train our network with RFEM and CAGM on and off, and print Table 6."""
    plan = _plan(**values)
    results = [
        trained.result(plan, trained.Run(network, seed, rfem, cagm))
        for seed, rfem, cagm in product(range(seeds), (True, False), (True, False))
    ]
    click.echo(paper_tables.table6(results))


@main.command()
@click.option("--encoder", type=click.Choice(list(baselines.ENCODERS)), default="lite0", show_default=True)
@click.option("--rounds", default=7, show_default=True, help="The shortest counts.")
@click.option("--networks", default=",".join(baselines.NAMES), show_default=True)
def table7(encoder: str, rounds: int, networks: str) -> None:
    """Parameters, GFLOP and CPU time per tile."""
    click.echo(f"{platform.machine()} CPU, one thread, fp32, best of {rounds}, torch {torch.__version__}")
    click.echo(cost.HEADER)
    for each in cost.costs(tuple(networks.split(",")), encoder, rounds):
        click.echo(cost.row(each))


@main.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/paper/figures"), show_default=True)
@click.option("--weights", default="lite", show_default=True, help="Of Figures 8 and 9, a name or a file.")
@click.option("--trained", "results", type=click.Path(path_type=Path), help="--out of table3, for Figure 5.")
@click.option("--encoder", type=click.Choice(list(baselines.ENCODERS)), default="lite0", show_default=True)
@click.option("--photographs", default=1, show_default=True, help="Of each set in Figures 5 and 8.")
@click.option("--worst", default=8, show_default=True, help="Rows of Figure 9.")
@click.option("--validation-share", default=0.0, help="Kept from training of sets of one's own, 0..1.")
@click.option("--device", default="auto", show_default=True)
def figures(  # noqa: PLR0917  click passes by keyword
    data: tuple[Path, ...],
    out: Path,
    weights: str,
    results: Path | None,
    encoder: str,
    photographs: int,
    worst: int,
    validation_share: float,
    device: str,
) -> None:
    """Draw Figures 5 (networks of --trained), 8 (attention) and 9 (worst failures)."""
    import paper_figures

    from crackpipe.model.data.pairs import load_pairs
    from crackpipe.model.predict.predictor import Predictor
    from crackpipe.model.train.train import few_of_each

    out.mkdir(parents=True, exist_ok=True)
    device = resolve_device(device)
    pairs = load_pairs(data, validation=True, share_of_others=validation_share)
    some = few_of_each([pair for pair in pairs if len(pair.crack_at)], photographs)
    if results is not None:
        networks = trained.networks_of(results, encoder, device)
        note = trained.described(results)
        paper_figures.draw(paper_figures.comparison(networks, some, device), out / "figure5.png", note)
    predictor = Predictor(weights, device)
    paper_figures.draw(paper_figures.attention(predictor, some), out / "figure8.png", f"weights {weights}")
    note = f"weights {weights}: right within 2 px green, false orange, missed blue"
    paper_figures.draw(paper_figures.failures(predictor, pairs, worst), out / "figure9.png", note)
    click.echo(f"{out}: {', '.join(sorted(file.name for file in out.glob('figure*.png')))}")


if __name__ == "__main__":
    main()
