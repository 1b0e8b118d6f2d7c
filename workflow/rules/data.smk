# Needs: a data set's files (scikit-learn's, torchvision's download, or a folder named under `sources`), or none where
# its examples are generated.
# Promises: results/data/{dataset}/, verified and split; results/data/{dataset}/{preprocessing}/, the arrays that
# networks see, with what was fitted on the training split.


rule data:
    output:
        manifest="results/data/{dataset}/dataset.json",
        arrays="results/data/{dataset}/splits.npz",
    log:
        "results/logs/data/{dataset}.log",
    conda:
        "../envs/trainability.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        # Where the files come from is no parameter: their checksums make them the same wherever they lie.
        dataset=lambda wildcards: DATASETS[wildcards.dataset].model_dump_json(),
        code=provenance.code_fingerprint("datasets"),
    run:
        workers.run(
            "data",
            dataset=params.dataset,
            source=SOURCES[wildcards.dataset],
            download_to="data",
            out=Path(output.manifest).parent,
            log=log,
        )


rule preprocess:
    input:
        manifest="results/data/{dataset}/dataset.json",
        arrays="results/data/{dataset}/splits.npz",
    output:
        manifest="results/data/{dataset}/{preprocessing}/preprocessing.json",
        arrays="results/data/{dataset}/{preprocessing}/arrays.npz",
        map="results/data/{dataset}/{preprocessing}/map.npz",
    log:
        "results/logs/preprocess/{dataset}.{preprocessing}.log",
    conda:
        "../envs/trainability.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        preprocessing=lambda wildcards: PREPROCESSINGS[wildcards.preprocessing].model_dump_json(),
        code=provenance.code_fingerprint("prepared"),
    run:
        workers.run(
            "preprocess",
            preprocessing=params.preprocessing,
            data=Path(input.manifest).parent,
            out=Path(output.manifest).parent,
            log=log,
        )
