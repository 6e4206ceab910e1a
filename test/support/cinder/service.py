"""A Cinder backup service reduced to what reads and writes backups: its own driver, objects and database, none of them replaced.

The first line on stdin is a JSON object {driver, database, options}; then one JSON request a line, one JSON answer a line on stdout.
"""

import inspect
import json
import os
import sys

from os_brick.initiator import linuxrbd
from oslo_config import cfg
from oslo_utils import importutils
from oslo_utils import timeutils
from oslo_utils import units

from cinder import context
from cinder import db
from cinder import objects

objects.register_all()  # before anything that names the classes

from cinder.backup import api
from cinder.backup import manager
from cinder.db.sqlalchemy import api as sqlalchemy_api
from cinder.db.sqlalchemy import models
from cinder.volume import volume_utils

CONF = cfg.CONF


class Service:
    def __init__(self, driver, database, options):
        CONF([], project='cinder', default_config_files=[])
        CONF.set_override('connection', 'sqlite:///' + database, group='database')
        self.driver_name = driver
        driver_class = importutils.import_class(driver)
        for name in ('quota_volumes', 'quota_gigabytes', 'quota_backups', 'quota_backup_gigabytes'):
            CONF.set_override(name, -1)
        for name, value in options.items():
            CONF.set_override(name, value)
        # SQLite cannot have this one as it is declared; it is about restarts of services.
        tables = [table for table in models.BASE.metadata.sorted_tables if table.name != 'workers']
        models.BASE.metadata.create_all(sqlalchemy_api.get_engine(), tables=tables)
        # The message bus is the one thing that is not there; nobody listens to it in a deployment without Ceilometer either.
        volume_utils.notify_about_backup_usage = lambda *args, **kwargs: None
        self.context = context.RequestContext('user', 'project', is_admin=True)
        db.volume_type_create(self.context, {'name': '__DEFAULT__', 'is_public': True, 'extra_specs': {}})
        self.driver = driver_class(self.context)

    def create_volume(self, sizeGiB, name=None):
        volume = objects.Volume(
            self.context, display_name=name, size=sizeGiB, status='available', user_id='user', project_id='project',
            attach_status='detached')
        volume.create()
        return {'volumeId': volume.id}

    def backup(self, volumeId, path=None, parentId=None, name=None, compression='zlib'):
        volume = objects.Volume.get_by_id(self.context, volumeId)
        if hasattr(self.driver, '_get_compressor'):
            CONF.set_override('backup_compression_algorithm', compression)
            self.driver.compressor = self.driver._get_compressor(compression)
        backup = objects.Backup(
            self.context, user_id='user', project_id='project', volume_id=volumeId, display_name=name,
            display_description=None, size=volume.size, status='creating', parent_id=parentId, host='host',
            service=self.driver_name, container=None, data_timestamp=timeutils.utcnow())
        backup.create()
        with open(path, 'rb') if path is not None else self.image_of(volume) as volume_file:
            updates = self.driver.backup(backup, volume_file)
        # As the manager does.
        backup.update(updates or {})
        backup.status = 'available'
        backup.save()
        return self.describe(backup)

    def image_of(self, volume):
        """As the manager gets a volume of the RBD driver: through os-brick."""
        user, conf, pool = CONF.backup_ceph_user, CONF.backup_ceph_conf, 'volumes'
        client = linuxrbd.RBDClient(user, pool, conffile=conf)
        image = linuxrbd.RBDVolume(client, volume.name)
        return linuxrbd.RBDVolumeIOWrapper(linuxrbd.RBDImageMetadata(image, pool, user, conf))

    def restore(self, backupId, path):
        """Into a file, as the manager does into the device of a new volume."""
        backup = objects.Backup.get_by_id(self.context, backupId)
        backup.status = 'restoring'
        backup.save()
        volume = objects.Volume(self.context, size=backup.size, status='restoring-backup', user_id='user',
                                project_id='project', attach_status='detached',
                                display_name='restore_backup_' + backupId)
        volume.create()
        with open(path, 'r+b' if os.path.exists(path) else 'w+b') as volume_file:
            self.driver.restore(backup, volume.id, volume_file)
        backup.status = 'available'
        backup.save()
        volume.refresh()
        return {'volumeId': volume.id, 'name': volume.display_name}

    def delete(self, backupId):
        backup = objects.Backup.get_by_id(self.context, backupId)
        self.driver.delete_backup(backup)
        backup.destroy()
        return {}

    def forget(self, backupId):
        """The row alone."""
        objects.Backup.get_by_id(self.context, backupId).destroy()
        return {}

    def export_record(self, backupId):
        backup = objects.Backup.get_by_id(self.context, backupId)
        return {'backup_service': backup.service,
                'backup_url': backup.encode_record(driver_info=self.driver.export_record(backup))}

    def import_record(self, backup_service, backup_url):
        """The API's half and the manager's half of an import; they are methods of services that need a message bus to be made."""
        half = api.API.__new__(api.API)
        backup = half._get_import_backup(self.context, backup_url)
        service = manager.BackupManager.__new__(manager.BackupManager)
        service.driver_name, service.az, service.host = self.driver_name, 'nova', 'host'
        service.service = lambda _context: self.driver
        inspect.unwrap(manager.BackupManager.import_record)(
            service, self.context, backup, backup_service, backup_url, [])
        return self.describe(objects.Backup.get_by_id(self.context, backup.id))

    def describe(self, backup):
        return {'backupId': backup.id, 'prefix': backup.service_metadata, 'container': backup.container,
                'objectCount': backup.object_count, 'parentId': backup.parent_id, 'status': backup.status,
                'name': backup.display_name, 'sizeGiB': backup.size}


def main():
    service = Service(**json.loads(sys.stdin.readline()))
    print(json.dumps({'ready': True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {'result': getattr(service, request.pop('do'))(**request)}
        except Exception as error:
            answer = {'error': '%s: %s' % (type(error).__name__, error)}
        print(json.dumps(answer), flush=True)


main()
