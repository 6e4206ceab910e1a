export interface ImageTagsTable {
  imageId: string
  tag: string
}

/** A project with which a shared image is shared, and what it says to that. */
export interface ImageMembersTable {
  imageId: string
  memberId: string
  status: MemberStatus
  createdAt: string
  updatedAt: string
}

export type MemberStatus = 'pending' | 'accepted' | 'rejected'

/** Stores that have an image's bytes besides its own. */
export interface ImageCopiesTable {
  imageId: string
  store: string
}
