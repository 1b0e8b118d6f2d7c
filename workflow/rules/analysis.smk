# Needs: the records of all cells. Promises: results/tables/, tidy tables of runs, cells, learning curves and layer
# health at the selected learning rates; results/figures/, each figure as SVG and PDF with the CSV behind it.


rule tables:
    input:
        config="results/tables/config.json",
        records=expand("results/cells/{cell}/{file}", cell=CELLS, file=["record.json", "curves.parquet", "layers.parquet"]),
    output:
        expand("results/tables/{table}.parquet", table=["runs", "cells", "curves", "layers"]),
        expand("results/tables/{table}.csv", table=["runs", "cells"]),
    params:
        code=provenance.code_fingerprint("tables"),
    log:
        "results/logs/tables.log",
    benchmark:
        "results/benchmarks/tables.jsonl"
    conda:
        "../envs/trainability.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    run:
        workers.run("tables", "--config", input.config, "--cells", "results/cells", "--out", "results/tables", log=log)
