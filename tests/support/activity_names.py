"""The activities as the timeline shows them, found where they are written."""

import inspect
import pkgutil
from importlib import import_module

import activities
from runtime.wiring import ACTIVITY


def performers() -> list[type]:
    """The classes of `activities` that have a method under `@activity.defn`."""
    modules = [import_module(f"activities.{found.name}") for found in pkgutil.iter_modules(activities.__path__)]
    classes = {one for module in modules for _, one in inspect.getmembers(module, inspect.isclass)}
    return sorted((one for one in classes if _defined(one)), key=lambda one: one.__name__)


def activity_names() -> list[str]:
    """The name that each activity is registered under."""
    return [name for performer in performers() for name in _defined(performer)]


def _defined(performer: type) -> list[str]:
    methods = inspect.getmembers(performer, inspect.isfunction)
    return [getattr(method, ACTIVITY).name for _, method in methods if hasattr(method, ACTIVITY)]
