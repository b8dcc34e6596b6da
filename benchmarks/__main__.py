"""``python -m benchmarks [--quick] [NAME...]``: run the modules of this folder that have a ``run``, print a table.

A benchmark is a module with ``run() -> list[Row]`` or ``run(*, quick: bool) -> list[Row]``, and perhaps a ``NAME``.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import sys
from types import ModuleType

import benchmarks
from benchmarks.rows import Row, table


def found() -> dict[str, ModuleType]:
    """Every benchmark by its name."""
    modules = {}
    for info in pkgutil.iter_modules(benchmarks.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"benchmarks.{info.name}")
        if hasattr(module, "run"):
            modules[getattr(module, "NAME", info.name)] = module
    return modules


def main() -> None:
    """Run what is asked for, or everything."""
    modules = found()
    parser = argparse.ArgumentParser(prog="./run bench", description="Benchmarks, as ratios to floors.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(modules)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a look, not a measurement")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(modules):
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(modules)}")
    rows: list[Row] = []
    for name in asked.names or modules:
        print(f"running {name} ...", file=sys.stderr, flush=True)
        run = modules[name].run
        rows += run(quick=asked.quick) if inspect.signature(run).parameters else run()
    print(table(rows))


if __name__ == "__main__":
    main()
