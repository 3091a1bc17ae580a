"""Who is told outside: that results are late, by mail and webhook; of results and failures, by webhook.

No message names a patient. It names studies by their UID and leads to the console, which asks who wants to know.
"""
