# Needs: the preprocessed arrays of a cell's data set. Promises: results/cells/{cell}/, the cell's record with the
# learning curves and layer health of all its runs. One job is one cell; a diverged run is a result, not a failure.

# Where records have a spare copy (trainability/spares.py): in jobs on a cluster whose nodes share this folder.
SPARE = f"results/{spares.FOLDER}"
if workflow.is_main_process or workflow.storage_settings.default_storage_provider:
    SPARE = ""


rule train:
    input:
        manifest=lambda wildcards: f"results/data/{plan.named(CELLS, wildcards.cell).inputs}/preprocessing.json",
        arrays=lambda wildcards: f"results/data/{plan.named(CELLS, wildcards.cell).inputs}/arrays.npz",
    output:
        record="results/cells/{cell}/record.json",
        curves="results/cells/{cell}/curves.parquet",
        layers="results/cells/{cell}/layers.parquet",
    log:
        "results/logs/train/{cell}.log",
    conda:
        "../envs/trainability.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=1 if SETTINGS.device == "cuda" else None,  # a GPU that is 0 would be one for some of Snakemake's executors
    params:
        cell=lambda wildcards: plan.named(CELLS, wildcards.cell).canonical,
        device=SETTINGS.device,
        code=provenance.code_fingerprint(*provenance.TRAINING),
        torch=provenance.version("torch"),
    run:
        workers.run(
            "train",
            cell=params.cell,
            data=Path(input.manifest).parent,
            device=params.device,
            spare=SPARE,
            out=Path(output.record).parent,
            log=log,
        )
