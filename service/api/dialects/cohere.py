"""Cohere's embeddings: `/v2/embed`, and `/v1/embed` of its older client."""

from fastapi import APIRouter

from service.api.body import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Cohere"])
