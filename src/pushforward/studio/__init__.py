"""The studio: a page on this machine on which to look at models, ask them things and edit images.

``offers.py`` says what a model's page has, ``workspace.py`` holds what is open, ``server.py``
answers the browser, and each file of ``tabs/`` is what one tab asks of a model.
"""
