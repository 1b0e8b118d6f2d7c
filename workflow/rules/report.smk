# Needs: the tables, the verdicts, the figures, the records and data manifests, and the page's sources in report/.
# Promises: results/report.html, the whole experiment as one file that needs no network; or at any time what there is of
# it, results/report_partial.html with results/partial/, which no other rule reads.
from trainability.figures import FIGURES


rule report:
    input:
        config="results/tables/config.json",
        plan="results/tables/plan.csv",
        tables=expand("results/tables/{table}.parquet", table=["runs", "cells", "curves", "layers"]),
        figures=expand("results/figures/{figure}.{kind}", figure=FIGURES, kind=["svg", "csv", "json"]),
        verdicts=rules.claims.output,
        records=expand("results/cells/{cell}/record.json", cell=CELLS),
        datasets=expand("results/data/{dataset}/dataset.json", dataset=DATASETS),
        preprocessings=sorted({f"results/data/{cell.inputs}/preprocessing.json" for cell in CELLS.values()}),
        sources=[
            workflow.source_path("../../report/template.html.j2"),
            workflow.source_path("../../report/style.css"),
            workflow.source_path("../../report/script.js"),
            workflow.source_path("../../report/references.yaml"),
        ],
    output:
        report(
            "results/report.html",
            caption="../../report/page.rst",
            category="Report",
            labels={"view": "all results"},
        ),
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
        command=COMMAND,
    run:
        workers.run(
            "report",
            config=input.config,
            tables=Path(input.config).parent,
            figures=Path(input.figures[0]).parent,
            cells=Path(input.records[0]).parents[1],
            data=Path(input.config).parents[1] / "data",
            sources=Path(input.sources[0]).parent,
            snakemake=params.command,
            out=output[0],
            log=log,
            benchmark="results/benchmarks/report.jsonl",
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
        command=COMMAND,
        sources=f"{workflow.basedir}/report",
    run:
        workers.run(
            "report-partial",
            configfile=input.config,
            results="results",
            sources=params.sources,
            snakemake=params.command,
            log=log,
            benchmark="results/benchmarks/report_partial.jsonl",
        )
        print(f"The report on what is done: {Path('results/report_partial.html').resolve()}")
