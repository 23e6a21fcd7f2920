"""The package: its name, what it needs, and the drivers that it offers."""

from pathlib import Path

from setuptools import find_packages, setup

CLI = ["click>=8.1", "rich>=13"]

# One extra per driver: the library that the driver imports when it is loaded.
DRIVERS = {
    "http": ["requests>=2.32.3", "urllib3>=2.2"],
    "s3": ["boto3>=1.36", "urllib3>=2.2"],
    "swift": ["python-swiftclient>=4.6", "keystoneauth1>=5.9", "requests>=2.32.3", "urllib3>=2.2"],
    "cinder": ["python-cinderclient", "os-brick", "keystoneauth1"],
    "vmware": ["pyvmomi"],
    "gridfs": ["pymongo"],
    # Nothing on PyPI: librados and librbd have their bindings from the distribution,
    # Debian's python3-rados and python3-rbd.
    "rbd": [],
    # Nothing to install: the sheep daemon is spoken to over a socket.
    "sheepdog": [],
}

TESTING = ["hypothesis>=6.100", "pytest>=8", "trustme>=1.1"]

DOCS = ["rich>=13"]

# What storekit's own tests, checks and pictures need. The formatter and the type checker change
# their mind between minor versions, so these are fixed.
DEV = [
    *TESTING,
    *DOCS,
    "coverage>=7.4",
    "flask>=3",  # with flask-cors what moto's server needs, and no more
    "flask-cors>=4",
    "jsonschema>=4.20",
    "mfusepy>=3.1",
    "moto[s3]>=5.1",
    "mypy==2.4.*",
    "pytest-xdist>=3.5",
    "redis>=5.1",  # for the driver of docs/drivers/server.md
    "ruff==0.17.*",
    "setuptools>=70.1",
]

setup(
    name="storekit",
    version="0.1.0",
    description="Disk images in storage backends: one small interface, one set of promises",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The storekit maintainers",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords="image disk-image storage backend glance openstack object-store",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Topic :: System :: Archiving",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["storekit", "storekit.*"]),
    package_data={
        "storekit": ["py.typed"],
        "storekit.cli": ["templates/*.in"],
        "storekit.testing": ["*.json"],
        "storekit.testing.reports": ["page.*"],
    },
    install_requires=["stevedore>=5.6", "pydantic>=2.7"],
    extras_require={
        "cli": CLI,
        **DRIVERS,
        "testing": TESTING,
        "docs": DOCS,
        "dev": DEV,
        "all": sorted({*CLI, *(need for needs in DRIVERS.values() for need in needs)}),
    },
    entry_points={
        "console_scripts": ["storekit = storekit.cli:main"],
        "storekit.drivers": [
            "filesystem = storekit.drivers.filesystem:FilesystemDriver",
            "http = storekit.drivers.http:HttpDriver",
            "rbd = storekit.drivers.rbd:RbdDriver",
            "s3 = storekit.drivers.s3:S3Driver",
            "swift = storekit.drivers.swift:SwiftDriver",
        ],
        # Under its module's name, so that -p does not load it a second time.
        "pytest11": ["storekit.testing.plugin = storekit.testing.plugin"],
    },
    zip_safe=False,
)
