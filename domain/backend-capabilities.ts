/** What Cinder's scheduler and clients are told of a backend, in the words of cinder/interface/volume_driver.py. */
export function backendCapabilities(driver: 'file' | 'rbd') {
  return {
    driver_version: '1',
    vendor_name: 'volflow',
    storage_protocol: driver === 'rbd' ? 'ceph' : 'file',
    QoS_support: false,
    multiattach: false,
    thin_provisioning_support: true,
    thick_provisioning_support: false,
  }
}
