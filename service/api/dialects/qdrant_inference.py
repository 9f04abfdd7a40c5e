"""What a Qdrant server calls to embed the texts that are sent to it."""

from fastapi import APIRouter

from service.api.body import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Qdrant inference"])
