"""facewire bench study"""

from __future__ import annotations

import argparse

from demo.cli.paths import input_file, output_folder

HELP = "pages on which people rate and compare videos; with their answers, opinions and agreement"
EXAMPLE = "facewire bench study results -o pages"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", metavar="RESULTS", help="of facewire bench run")
    parser.add_argument("-o", dest="output", required=True, metavar="PAGES", help="a folder")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of names and order")
    parser.add_argument(
        "--answers", nargs="+", metavar="CSV", help="what people handed in: adds the analysis"
    )


def run(arguments: argparse.Namespace) -> None:
    from avatar.storage import write_whole
    from bench.results import Results
    from bench.study.analysis import analyse
    from bench.study.pages import write_pages
    from bench.study.stimuli import gather, read_key

    results = Results(arguments.results)
    answers = [input_file(path, "file of answers") for path in arguments.answers or ()]
    folder = output_folder(arguments.output)
    if not answers:
        stimuli = gather(results, folder, arguments.seed)
        written = write_pages(stimuli, folder, arguments.seed)
        names = " and ".join(str(folder / name) for name in written)
        print(f"{len(stimuli)} videos: {names}; keep {folder / 'key.json'} to yourself")
        return
    for table in analyse(read_key(folder), list(results), answers):
        for ending, text in (("csv", table.csv()), ("tex", table.latex())):
            write_whole(folder / f"{table.name}.{ending}", text.encode())
        print(table.markdown())
