#!/usr/bin/env python3
"""Flags of highly variable genes by `cyto rna preprocess` beside those of scanpy, in both flavours.

  expression_peer.py BUILD/cyto DATA

DATA holds paul15_subset, pbmc68k_reduced, GSE116256_RAW. Prints one line per file, flavour and n_top (0: by cut-offs). Needs scanpy.
"""
import os
import subprocess
import sys
import tempfile
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import scanpy as sc
from scipy.sparse import csr_matrix

warnings.simplefilter("ignore")
program, folder = sys.argv[1:3]
scratch = tempfile.TemporaryDirectory()


def compare(name, path, source, cells, logarithms):
    if not logarithms:
        sc.pp.normalize_total(cells, target_sum=1e4)
        sc.pp.log1p(cells)
    cells.uns["log1p"] = {"base": None}
    for flavour in ("seurat", "cell_ranger"):
        for number in (0, 20, 50, 100, 150, 400, 1000, 2432):
            if number > cells.n_vars:
                continue
            peer, out = cells.copy(), os.path.join(scratch.name, "out.h5ad")
            try:
                sc.pp.highly_variable_genes(peer, flavor=flavour, n_top_genes=number or None)
            except ValueError as error:
                print(f"{name} {flavour} {number}: scanpy: {str(error)[:40]}")
                continue
            subprocess.run([program, "rna", "preprocess", path, "-o", out, "--force", "-q", "--expr-source", source, "--hvg", flavour,
                            "--n-top", str(number)], check=True, stdout=subprocess.DEVNULL)
            ours = anndata.read_h5ad(out).var
            theirs = peer.var[peer.var["highly_variable"]]
            differ = len(set(ours.index) ^ set(theirs.index))
            apart = np.nanmax(np.abs(ours["dispersions_norm"] - peer.var.loc[ours.index, "dispersions_norm"].astype(float)))
            print(f"{name} {flavour} {number}: {len(ours)} genes, {differ} flags differ, dispersions within {apart:.1e}")


def counts(name, cells):
    path = os.path.join(scratch.name, name + ".h5ad")
    cells.write_h5ad(path)
    compare(name, path, "X", cells, False)


path = os.path.join(folder, "paul15_subset/paul15_240genes.h5ad")
compare("paul15", path, "X", anndata.read_h5ad(path), False)
path = os.path.join(folder, "pbmc68k_reduced/10x_pbmc68k_reduced.h5ad")
with h5py.File(path) as file:
    raw, names = file["raw.X"], [name.decode() for name in file["raw.var"]["index"]]
    matrix = csr_matrix((raw["data"][:], raw["indices"][:], raw["indptr"][:]), shape=(700, 765))
pbmc = anndata.AnnData(matrix, var=pd.DataFrame(index=names))
pbmc.var_names_make_unique()
compare("pbmc68k", path, "raw", pbmc, True)
for sample in ("GSM3587996_BM1", "GSM3587998_BM3"):
    table = pd.read_csv(os.path.join(folder, f"GSE116256_RAW/{sample}.dem.txt.gz"), sep="\t", index_col=0).T
    cells = anndata.AnnData(csr_matrix(table.values.astype(np.float32)), obs=pd.DataFrame(index=table.index.astype(str)),
                            var=pd.DataFrame(index=table.columns.astype(str)))
    found = cells.copy()
    sc.pp.filter_genes(found, min_cells=10)
    counts(sample, cells)
    counts(sample + "-in-10-cells", found)
