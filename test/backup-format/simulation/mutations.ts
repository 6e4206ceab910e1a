import type { Courses } from './courses.ts'

/** The rules of the protocol, each taken out by editing the code as it is loaded. */
export interface Mutation {
  readonly name: string
  /** What the rule says. */
  readonly rule: string
  /** In which harm is seen soon enough; left out: all. */
  readonly courses?: Courses
  /** `from` must be in the file once. */
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[]
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'epoch-begins-early',
    rule: 'the new epoch begins with the published lists, not with marking',
    edits: [
      {
        file: 'condemn.ts',
        from: "{ ...before, phase: 'marking', run, lists: [] }",
        to: "{ ...before, epoch: before.epoch + 1, phase: 'marking', run, lists: [] }",
      },
    ],
  },
  {
    name: 'no-second-look',
    rule: 'a writer that has opened its record looks at the state again',
    edits: [
      {
        file: 'open-upload.ts',
        from: 'if (ours && state.epoch === record.value.epoch) {',
        to: 'if (ours) {',
      },
    ],
  },
  {
    name: 'condemned-chunks-used',
    rule: "a condemned chunk of the parent's counts as absent",
    edits: [
      {
        file: 'upload-parent.ts',
        from: 'found === undefined || condemned.has(found)',
        to: 'found === undefined',
      },
    ],
  },
  {
    name: 'condemned-pages-used',
    rule: "a condemned page of the parent's counts as absent",
    courses: 'discarding',
    edits: [
      {
        file: 'upload-parent.ts',
        from: 'if (ref !== undefined && condemned.has(ref)) return NO_PAGE',
        to: '',
      },
    ],
  },
  {
    name: 'no-epoch-in-key',
    rule: 'the key of an object contains the epoch of its upload',
    edits: [
      {
        file: 'upload-page.ts',
        from: '      epoch: opened.record.value.epoch,\n      parent:',
        to: '      epoch: 1,\n      parent:',
      },
      {
        file: 'upload-page.ts',
        from: 'contentId(domain.keys, bytes), epoch: opened.record.value.epoch }',
        to: 'contentId(domain.keys, bytes), epoch: 1 }',
      },
    ],
  },
  {
    name: 'commit-without-compare',
    rule: 'a commit is a compare-and-swap on the record that was read before',
    edits: [
      {
        file: 'commit.ts',
        from: 'await replaceRecord(repository, committed, stored.version)',
        to: "await replaceRecord(repository, committed, (await readRecord(repository, domain, backupId))?.version ?? '')",
      },
    ],
  },
  {
    name: 'no-wait',
    rule: 'nothing is deleted while an upload of an older epoch is open',
    edits: [
      {
        file: 'collect.ts',
        from: 'if (waitingFor.length > 0) {',
        to: 'if (waitingFor.length < 0) {',
      },
    ],
  },
  {
    name: 'no-second-mark',
    rule: 'what was committed while the collector waited is marked before anything is deleted',
    edits: [
      {
        file: 'delete-condemned.ts',
        from: 'condemned.filter((blob) => !needed.has(blob))',
        to: 'condemned.filter(() => true)',
      },
    ],
  },
  {
    name: 'no-third-look',
    rule: 'a collector that marked again deletes only if its collection is still the one under way',
    edits: [
      {
        file: 'delete-condemned.ts',
        from: 'if ((await readState(repository)).version !== version) break',
        to: '',
      },
    ],
  },
  {
    name: 'late-attempt-continues',
    rule: 'an attempt whose token is lower than the record’s gives up',
    edits: [
      {
        file: 'open-upload.ts',
        from: 'if (record.writerToken > writerToken) throw',
        to: 'if (record.writerToken < 0) throw',
      },
    ],
  },
  {
    name: 'journal-goes-on',
    rule: 'an attempt in a new epoch begins a new journal without what is condemned',
    edits: [
      {
        file: 'open-upload.ts',
        from: '...change, journal: newJournalId(), pages: null }',
        to: '...change, pages: null }',
      },
      { file: 'open-upload.ts', from: '  await writeParts(repository, record, parts)\n', to: '' },
    ],
  },
  {
    name: 'condemned-journal-kept',
    rule: 'what is condemned is dropped from the journal',
    edits: [
      {
        file: 'open-upload.ts',
        from: '    await dropCondemned(',
        to: '    if (attempt < 0) await dropCondemned(',
      },
    ],
  },
  {
    name: 'lists-after-epoch',
    rule: 'the lists are published in the same compare-and-swap as the epoch',
    edits: [
      {
        file: 'condemn.ts',
        from: `{ version: 1, epoch, phase: 'condemned', run, lists: lists.refs, job },
    marking.version,
  )`,
        to: `{ version: 1, epoch, phase: 'condemned', run, lists: [], job },
    marking.version,
  ).then(async (early) => {
    for (const { key } of lists.refs) await repository.target.get(key)
    return early && replaceState(repository, { ...early.value, lists: lists.refs }, early.version)
  })`,
      },
    ],
  },
  {
    name: 'overtaken-collector-publishes',
    rule: 'a collector that was overtaken cannot publish its lists',
    edits: [
      {
        file: 'condemn.ts',
        from: `lists: lists.refs, job },
    marking.version,`,
        to: `lists: lists.refs, job },
    (await repository.target.get('state'))?.version ?? '',`,
      },
    ],
  },
  {
    name: 'younger-lists-removed',
    rule: 'a collection removes its own lists and older ones, never younger ones',
    edits: [
      {
        file: 'collect-remains.ts',
        from: "if (Number(key.split('/')[1]) <= epoch) await",
        to: 'if (epoch > 0) await',
      },
    ],
  },
  {
    name: 'parent-read-before-open',
    rule: 'the parent is read after the record was opened',
    edits: [
      {
        file: 'upload.ts',
        from: '  const opened = await openUpload(repository, request)\n',
        to: `  const { readRecord } = await import('./record.ts')
  const early = request.parentBackupId === undefined ? undefined : await readRecord(repository, request.domain, request.parentBackupId)
  const opened = await openUpload(repository, request)
`,
      },
      {
        file: 'upload.ts',
        from: 'openParent(repository, request, opened)',
        to: 'openParent(repository, { ...request, early } as never, opened)',
      },
      {
        file: 'upload-parent.ts',
        from: '(await readRecord(repository, domainName, parentBackupId))?.value',
        to: '(request as never as { early?: Awaited<ReturnType<typeof readRecord>> }).early?.value',
      },
    ],
  },
  {
    name: 'abort-without-compare',
    rule: 'an abort is a compare-and-swap: what was committed meanwhile stays',
    edits: [
      {
        file: 'abort.ts',
        from: 'await replaceRecord(repository, aborted, stored.version)',
        to: "await replaceRecord(repository, aborted, (await readRecord(repository, domain, backupId))?.version ?? '')",
      },
    ],
  },
  {
    name: 'copy-trusted',
    rule: 'a chunk is healed from a copy only with bytes that have its id',
    edits: [
      {
        file: 'heal-from-copy.ts',
        from: "if (isSame) await store(context, 'chunk'",
        to: "await store(context, 'chunk'",
      },
    ],
  },
  {
    name: 'page-not-proven',
    rule: 'an index page is healed from a copy only with bytes that have its id',
    edits: [
      { file: 'heal-from-copy.ts', from: 'if (contentId(domain.keys, bytes) !== ref.id) continue', to: '' },
    ],
  },
  {
    name: 'known-damage-reused',
    rule: 'a chunk of the parent’s that is known to be damaged is read, even where nothing changed',
    courses: 'damaged',
    edits: [
      {
        file: 'upload-parent.ts',
        from: "return isQuarantined(quarantined, 'chunk', found) ? undefined : usable(chunk)",
        to: 'return usable(chunk)',
      },
    ],
  },
  {
    name: 'known-damage-continued',
    rule: 'what an earlier attempt stored and is known to be damaged is read again',
    edits: [
      {
        file: 'open-upload.ts',
        from: 'await dropQuarantined(repository, identity.domain, parts, quarantined)',
        to: '',
      },
    ],
  },
  {
    name: 'healed-page-trusted',
    rule: 'the chunks of a page that was damaged are looked at before it is called good',
    courses: 'damaged',
    edits: [{ file: 'verify.ts', from: 'wasHidden || this.', to: 'this.' }],
  },
  {
    name: 'page-marker-goes-early',
    rule: 'the marker of a page stays until its chunks were looked at',
    courses: 'damaged',
    edits: [
      {
        file: 'quarantine.ts',
        from: "if (blob.kind === 'chunk') await removeMarker",
        to: 'await removeMarker',
      },
    ],
  },
  {
    name: 'marker-before-heal',
    rule: 'the marker goes after the object was stored anew',
    courses: 'damaged',
    edits: [
      {
        file: 'quarantine.ts',
        from: '    const stored = await target.get(key)',
        to: '    await removeMarker({ target }, domain, { kind: blob.kind, ref })\n    const stored = await target.get(key)',
      },
    ],
  },
  {
    name: 'needed-marker-collected',
    rule: 'a marker is condemned and goes as its object does',
    edits: [
      {
        file: 'survey.ts',
        from: 'blob.id.startsWith(shard) && !needed.has(blob)',
        to: 'blob.id.startsWith(shard)',
      },
      {
        file: 'delete-condemned.ts',
        from: 'const gone = condemned.filter((blob) => !needed.has(blob))',
        to: 'const gone = condemned.filter((blob) => !needed.has(blob) || blob.sizeBytes === 0)',
      },
    ],
  },
]

/** The source without the rule. It must have what is replaced, once. */
export function mutated({ edits }: Mutation, file: string, source: string): string {
  return edits
    .filter((edit) => edit.file === file)
    .reduce((text, { from, to }) => {
      if (text.split(from).length !== 2)
        throw new Error(`Expected ${file} to have once what the mutation replaces: ${from}`)
      return text.replace(from, () => to)
    }, source)
}
