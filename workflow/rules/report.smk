# Needs: the tables, the verdicts, the figures, the records and data manifests, and the page's sources in report/.
# Promises: results/report.html, the whole experiment as one file that needs no network, and report.json about it; or at any time what there is of
# it, results/report_partial.html with results/partial/, which no other rule reads.
from trainability import explorer
from trainability.figures import FIGURES

# What the page is made of.
PAGE = ["template.html.j2", "style.css", "script.js", "references.yaml", *explorer.SOURCES]


rule report:
    input:
        config="results/tables/config.json",
        plan=expand("results/tables/{file}", file=["plan.csv", "plan.json"]),
        tables=rules.tables.output,
        figures=expand("results/figures/{figure}.{kind}", figure=FIGURES, kind=["svg", "csv", "json"]),
        verdicts=rules.claims.output,
        records=expand("results/cells/{cell}/record.json", cell=CELLS),
        datasets=expand("results/data/{dataset}/dataset.json", dataset=DATASETS),
        preprocessings=sorted({f"results/data/{cell.inputs}/preprocessing.json" for cell in CELLS.values()}),
        # Notes on cells that were trained again; no rule makes them (trainability/verified.py).
        verified=lambda _: [
            path for path in expand("results/cells/{cell}/verified.json", cell=CELLS) if os.path.exists(path)
        ],
        sources=[workflow.source_path(f"../../report/{file}") for file in PAGE],
    output:
        report(
            "results/report.html",
            caption="../../report/page.rst",
            category="Report",
            labels={"view": "all results"},
        ),
        "results/report.json",
    log:
        "results/logs/report.log",
    conda:
        "../envs/trainability.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=provenance.code_fingerprint("report"),
        charts=provenance.version("vl-convert-python"),
        command=lambda wildcards: COMMAND,
    run:
        workers.run(
            "report",
            **workers.results(input.config, "tables", "figures", "cells", "data", "logs/train"),
            sources=Path(input.sources[0]).parent,
            snakemake=params.command,
            out=output[0],
            log=log,
        )


# Without an output it is made anew whenever it is asked for. Another snakemake that runs keeps the folder locked; the
# command that this one calls needs no lock. It reads whatever is there, so it runs where that is.
rule report_partial:
    input:
        config="results/tables/config.json",
    log:
        "results/logs/report_partial.log",
    localrule: True
    conda:
        "../envs/trainability.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        command=lambda wildcards: COMMAND,
        sources=f"{workflow.basedir}/report",
    run:
        workers.run(
            "report-partial",
            configfile=input.config,
            results="results",
            sources=params.sources,
            snakemake=params.command,
            log=log,
        )
        print(f"The report on what is done: {Path('results/report_partial.html').resolve()}")
