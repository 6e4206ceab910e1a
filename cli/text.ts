import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Styled where the stream is a terminal and NO_COLOR is not set. */
export function styled(stream: NodeJS.WriteStream, style: Style, text: string): string {
  return stream.isTTY ? styleText(style, text, { stream }) : text
}

/** Names and messages come from others: nothing in them may act on the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ')
}

const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}]/u

/** Columns that the text takes on a terminal. */
export function textWidth(text: string): number {
  let width = 0
  for (const { segment } of new Intl.Segmenter().segment(text)) width += WIDE.test(segment) ? 2 : 1
  return width
}

export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)))
}

const STATUS_STYLES: Readonly<Record<string, Style>> = {
  available: 'green',
  active: 'green',
  succeeded: 'green',
  delivered: 'green',
  error: 'red',
  failing: 'red',
  error_deleting: 'red',
  failed: 'red',
  cancelled: 'yellow',
  disabled: 'yellow',
}

export function statusStyle(status: string): Style {
  return STATUS_STYLES[status] ?? 'cyan'
}

/** `83` -> `1:23`, `4000` -> `1:06:40`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const shown = parts[0] === 0 ? parts.slice(1) : parts
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':')
}
