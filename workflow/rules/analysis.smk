# Needs: the records of all cells. Promises: results/tables/, tidy tables of runs, cells, learning curves and layer
# health at the selected learning rates, and of verdicts on statements; results/figures/, each figure as SVG and PDF
# with the CSV behind it and its caption.
# Where files are is told by those that are declared: on a cluster without a common file system it is no folder of ours.
from trainability import figures


rule tables:
    input:
        config="results/tables/config.json",
        plan="results/tables/plan.json",
        records=expand(
            "results/cells/{cell}/{file}",
            cell=CELLS,
            file=["record.json", "curves.parquet", "layers.parquet"],
        ),
    output:
        expand("results/tables/{table}.parquet", table=["runs", "cells", "curves", "layers"]),
        expand("results/tables/{table}.csv", table=["runs", "cells"]),
        "results/tables/tables.json",
    log:
        "results/logs/tables.log",
    conda:
        "../envs/trainability.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=provenance.code_fingerprint("tables"),
    run:
        workers.run(
            "tables",
            config=input.config,
            cells=Path(input.records[0]).parents[1],
            out=Path(output[0]).parent,
            log=log,
        )


rule claims:
    input:
        tables=expand("results/tables/{table}", table=["runs.parquet", "cells.parquet", "tables.json"]),
        config="results/tables/config.json",
        plan="results/tables/plan.json",
        claims=[workflow.source_path("../../report/claims.yaml"), *SETTINGS.claims],
        analyses=expand("results/analyses/{name}.{kind}", name=ANALYSES, kind=["csv", "json"]),
    output:
        expand("results/tables/{table}", table=["claims.csv", "evidence.csv", "claims.json"]),
    log:
        "results/logs/claims.log",
    conda:
        "../envs/trainability.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=provenance.code_fingerprint("claims.outcome"),
    run:
        workers.run(
            "claims",
            "--",
            *input.claims,
            **workers.results(input.config, "tables", "analyses"),
            out=Path(output[0]).parent,
            log=log,
        )


rule figure:
    input:
        tables=rules.tables.output,
        config="results/tables/config.json",
        plan="results/tables/plan.json",
        captions=workflow.source_path("../../report/captions.yaml"),
        data=lambda wildcards: expand("results/data/{file}", file=figures.data_files(wildcards.figure, SETTINGS, PLAN)),
    output:
        report(
            "results/figures/{figure}.svg",
            caption="../../report/figure.rst",
            category=lambda wildcards: figures.FIGURES[wildcards.figure].section,
            labels=lambda wildcards: {"figure": figures.FIGURES[wildcards.figure].title},
        ),
        multiext("results/figures/{figure}", ".pdf", ".csv", ".json"),
        caption="results/figures/{figure}.rst",
    log:
        "results/logs/figure/{figure}.log",
    wildcard_constraints:
        figure="|".join(figures.FIGURES),
    conda:
        "../envs/trainability.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=provenance.code_fingerprint("figures"),
        matplotlib=provenance.version("matplotlib"),
    run:
        workers.run(
            "figure",
            wildcards.figure,
            **workers.results(input.config, "tables", "data"),
            captions=input.captions,
            out=Path(output.caption).parent,
            log=log,
        )
