"""The lecture's claims, one file a topic, each with the measurements that decide it.

A claim is a function under the decorator `statement`: its keyword arguments are the factories that
the claim is about, and it returns `Finding`s, pairs of a measured and a predicted number. Start
with `quadratic_rates`, then `statement` for the two classes. `registry` lists the files, `run`
checks the statements and prints the table.
"""
