"""Cinder's own S3 backup driver as a contender: its class, its defaults, on a plain file instead of an attached volume.

cinder-driver.py backup|restore FILE STATE, settings in the environment. Only database and notifications are replaced: by objects that
remember. STATE keeps what Cinder's database would. Prints one line of JSON: what the driver's call took, without the start of Python.
"""
import eventlet

eventlet.monkey_patch()

import contextlib
import json
import os
import resource
import sys
import time

from oslo_config import cfg

from cinder import objects
from cinder.backup.drivers import s3
from cinder.volume import volume_utils

GIB = 1024**3


class Backup(dict):
    """What the driver uses of cinder.objects.Backup."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__

    def save(self):
        pass

    def refresh(self):
        pass

    @contextlib.contextmanager
    def as_read_deleted(self):
        yield


class Volumes:
    def __init__(self, size_gib):
        self.size_gib = size_gib

    def volume_get(self, context, volume_id):
        return {'size': self.size_gib}


def main(action, path, state):
    env = os.environ
    conf = cfg.CONF
    conf([], project='cinder', default_config_files=[])
    # It opens a database that it then does not use.
    conf.set_override('connection', 'sqlite://', group='database')
    conf.set_override('backup_s3_endpoint_url', env['ENDPOINT'])
    conf.set_override('backup_s3_store_access_key', env['AWS_ACCESS_KEY_ID'])
    conf.set_override('backup_s3_store_secret_key', env['AWS_SECRET_ACCESS_KEY'])
    conf.set_override('backup_s3_store_bucket', env['BUCKET'])
    conf.set_override('backup_compression_algorithm', env['COMPRESSION'])
    objects.register_all()
    volume_utils.notify_about_backup_usage = lambda *args, **options: None
    driver = s3.S3BackupDriver(context=None)
    size_bytes = os.path.getsize(path) if action == 'backup' else int(env['SIZE_BYTES'])
    driver.db = Volumes(size_bytes // GIB)
    started = time.monotonic(), cpu_seconds()
    if action == 'backup':
        backup = Backup(id='backup', volume_id='volume', container=None, parent_id=None, status='creating', created_at='now',
                        display_name='', display_description='', size=size_bytes // GIB)
        with open(path, 'rb') as volume:
            driver.backup(backup, volume, backup_metadata=False)
        with open(state, 'w') as file:
            json.dump(dict(backup, status='restoring'), file)
    else:
        with open(state) as file:
            backup = Backup(json.load(file))
        with open(path, 'wb') as volume:
            driver.restore(backup, 'volume', volume)
    print(json.dumps({
        'seconds': time.monotonic() - started[0],
        'cpuSeconds': cpu_seconds() - started[1],
        'peakRssBytes': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


main(*sys.argv[1:])
