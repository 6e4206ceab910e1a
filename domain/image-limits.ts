/** Limits of the Image API. Where Glance has the same limit by default, its number is taken. */
export const IMAGE_LIMITS = {
  /** Glance: limit_param_default and api_limit_max. */
  pageSizeDefault: 25,
  pageSizeMax: 1000,
  /** Glance: image_member_quota, image_property_quota and image_tag_quota. */
  membersMax: 128,
  propertiesMax: 128,
  tagsMax: 128,
  tagLengthMax: 255,
  propertyNameLengthMax: 255,
  /** Glance keeps them as SQL text without a bound; signatures and scripts of guests fit well into this. */
  propertyValueLengthMax: 16_384,
  /** Of one patch: as many as there can be properties, and the rest of an image's fields. */
  patchOperationsMax: 256,
  /** Values in one `in:` filter. */
  filterValuesMax: 100,
  sortKeysMax: 8,
  minDiskMaxGiB: 65_536,
  minRamMaxMiB: 67_108_864,
  /** Staged bytes that nobody imports are removed: they fill the store, and no quota of Glance's would count them. */
  stagedMs: 7 * 86_400_000,
  /**
   * How long the answer to an upload waits for the bytes to be checked: longer than any table of a qcow2 takes to be walked. Where no
   * worker runs it ends earlier than proxies give up, and the image goes on `saving`.
   */
  uploadAnswerMs: 45_000,
  /** How often the end of an operation is looked for meanwhile, should no event tell of it. */
  uploadAnswerPollMs: 1_000,
  /** Tasks of one image that are told, the newest. */
  imageTasksMax: 100,
} as const
