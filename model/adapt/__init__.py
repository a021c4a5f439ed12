"""Weights learn a strange camera from few pictures of it.

teach       labelled pictures and rendered roads -> weights
replay      the rendered roads, so that other roads are not forgotten
compare     before and after, on pictures that did not teach
statistics  pictures without labels -> weights of other batch norms
"""
