"""A distribution that offers one driver: all that its author writes besides the driver."""

from setuptools import setup

setup(
    name="storekit-crate",
    version="2.1",
    description="storekit images in one SQLite file",
    py_modules=["storekit_crate"],
    python_requires=">=3.11",
    install_requires=["storekit"],
    entry_points={"storekit.drivers": ["crate = storekit_crate:CrateDriver"]},
)
