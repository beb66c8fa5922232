"""What every driver needs and no processor owns: reading, writing, signing, settings, paging.

Authors import it from `paygate.driver`, like everything else. A module here is loaded when one
of its names is first used.
"""
