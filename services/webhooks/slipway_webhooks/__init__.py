"""Webhooks in: what Git providers send is verified, normalised and kept on the bus before it is answered with 202.

It owns the delivery log. Links and their sealed secrets come from core over the bus into memory; no database is on the
way of a delivery.
"""
