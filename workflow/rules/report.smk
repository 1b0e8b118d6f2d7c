# Needs: the tables, the verdicts, the figures, the records and data manifests, and the page's sources in report/.
# Promises: results/report.html, the whole experiment as one file that needs no network.
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
        sources=expand(
            f"{workflow.basedir}/report/{{file}}",
            file=["template.html.j2", "style.css", "script.js", "references.yaml"],
        ),
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
            tables="results/tables",
            figures="results/figures",
            cells="results/cells",
            data="results/data",
            sources=Path(input.sources[0]).parent,
            snakemake=params.command,
            out=output[0],
            log=log,
            benchmark="results/benchmarks/report.jsonl",
        )
