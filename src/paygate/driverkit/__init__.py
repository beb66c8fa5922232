"""The driver kit: what drivers share, such as reading, writing, signing, settings and paging.

Authors import it from `paygate.driver`, like everything else. A module here is loaded when one of
its names is first used.
"""
