"""The generative methods that the field compares, as codecs of the lab on one pipeline.

Key frame by a classic codec, a few numbers a frame by our entropy coder, a generator.  What makes
a method is what its numbers are and how they become motion: a file each (`fomm`, `dac`, `cfte`,
`fv2v`, `tps`, `mraa`, `lia`, `bilayer`).  The generator, the sizes, the training
(`codec.mttf.train`) and the coder are the same for all, MTTF included, so that the comparison is of
the methods; only Bi-layer, whose generator is what makes it, has its own.  Our own implementations,
after the papers.

Importing this package does not load torch.
"""
