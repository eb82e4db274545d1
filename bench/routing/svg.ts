/** Plots as SVG: panels side by side with lines or bars in them. No more than the pages need. */

export interface Series {
  readonly name: string
  readonly colour: string
  readonly bold: boolean
  /** In rising order of x. */
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface LinePanel {
  readonly title: string
  readonly series: readonly Series[]
}

export interface Axis {
  readonly title: string
  readonly from: number
  readonly to: number
  readonly ticks: readonly number[]
  readonly unit: string
}

const font = 'font-family="system-ui, sans-serif"'
const ink = '#24292f'
const faint = '#d8dee4'
const panel = { width: 190, height: 170, left: 44, top: 58, gap: 16 }

/** Panels with the same axes, the y axis told at the first; the legend in one or two rows below. */
export function linePlot(title: string, panels: readonly LinePanel[], x: Axis, y: Axis): string {
  const { width, height, left, top, gap } = panel
  const all = left + panels.length * (width + gap)
  const atX = (value: number) => (width * (value - x.from)) / (x.to - x.from)
  const atY = (value: number) =>
    height * (1 - (Math.min(y.to, Math.max(y.from, value)) - y.from) / (y.to - y.from))
  const parts = panels.map((one, index) => {
    const lines = [
      ...y.ticks.map((tick) => rule(0, atY(tick), width, atY(tick), faint)),
      ...x.ticks.map((tick) => text(atX(tick), height + 14, `${tick}${x.unit}`, 'middle', 10)),
      ...(index === 0
        ? y.ticks.map((tick) => text(-6, atY(tick) + 3, `${tick}${y.unit}`, 'end', 10))
        : []),
      rule(0, height, width, height, ink),
      ...one.series
        .toSorted((a, b) => Number(a.bold) - Number(b.bold))
        .map(
          ({ points, colour, bold }) =>
            `<polyline fill="none" stroke="${colour}" stroke-width="${bold ? 3 : 1.5}" points="${points
              .map(([px, py]) => `${round(atX(px))},${round(atY(py))}`)
              .join(' ')}"/>`,
        ),
      text(width / 2, -10, one.title, 'middle', 12, 'bold'),
    ]
    return group(left + index * (width + gap), top, lines)
  })
  const legend = legendOf(panels[0]?.series ?? [], all - left)
  const bottom = top + height + 34
  return document(all, bottom + 20 + legend.rows * 18, [
    text(left, 22, title, 'start', 14, 'bold'),
    text(left, bottom + 2, x.title, 'start', 11),
    ...parts,
    group(left, bottom + 20, legend.parts),
  ])
}

export interface Bar {
  readonly name: string
  readonly bold: boolean
  /** The longer one is drawn lighter, behind the shorter one; null for what is not known. */
  readonly light: number | null
  readonly dark: number | null
}

export interface BarPanel {
  readonly title: string
  readonly bars: readonly Bar[]
}

/** What is left of a panel is for the value behind the longest bar. */
const barRatioMax = 0.85

const bar = {
  height: 15,
  names: 172,
  highlight: ['#f7b28a', '#d1480c'],
  other: ['#b9cbe0', '#4a78ab'],
}

/** Horizontal bars of two lengths, each panel to its own scale; names are told at the first one. */
export function barPlot(title: string, panels: readonly BarPanel[], legend: string): string {
  const { width, gap, top } = panel
  const rows = panels[0]?.bars.length ?? 0
  const height = rows * bar.height
  const all = bar.names + panels.length * (width + gap)
  const parts = panels.map(({ title: name, bars }, index) => {
    const most = Math.max(1, ...bars.flatMap(({ light, dark }) => [light ?? 0, dark ?? 0]))
    const atX = (value: number) => (barRatioMax * width * value) / most
    return group(bar.names + index * (width + gap), top, [
      rule(0, 0, 0, height, ink),
      ...bars.flatMap(({ name: label, bold, light, dark }, row) => {
        const y = row * bar.height + 2
        const [lightColour = ink, darkColour = ink] = bold ? bar.highlight : bar.other
        const weight = bold ? 'bold' : 'normal'
        return [
          box(y, atX(light ?? 0), lightColour),
          box(y, atX(dark ?? 0), darkColour),
          ...(index === 0 ? [text(-8, y + 9, label, 'end', 11, weight)] : []),
          text(
            atX(Math.max(light ?? 0, dark ?? 0)) + 4,
            y + 9,
            light?.toFixed(1) ?? '–',
            'start',
            9,
            weight,
          ),
        ]
      }),
      text(width / 2, -10, name, 'middle', 12, 'bold'),
    ])
  })
  return document(all + 14, top + height + 30, [
    text(12, 22, title, 'start', 14, 'bold'),
    text(12, top + height + 20, legend, 'start', 11),
    ...parts,
  ])
}

function legendOf(series: readonly Series[], width: number) {
  const parts: string[] = []
  let x = 0
  let row = 0
  for (const { name, colour, bold } of series) {
    const taken = 34 + name.length * 6.6
    if (x + taken > width && x > 0) {
      x = 0
      row++
    }
    const y = row * 18
    parts.push(
      `<line x1="${round(x)}" y1="${y}" x2="${round(x + 18)}" y2="${y}" stroke="${colour}" stroke-width="${bold ? 3 : 1.5}"/>`,
      text(x + 22, y + 4, name, 'start', 11, bold ? 'bold' : 'normal'),
    )
    x += taken
  }
  return { parts, rows: row + 1 }
}

function document(width: number, height: number, parts: readonly string[]): string {
  const size = `${Math.ceil(width)} ${Math.ceil(height)}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" ${font}>`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...parts,
    '</svg>\n',
  ].join('\n')
}

const group = (x: number, y: number, parts: readonly string[]) =>
  `<g transform="translate(${round(x)},${round(y)})">\n${parts.join('\n')}\n</g>`

const rule = (x1: number, y1: number, x2: number, y2: number, colour: string) =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"/>`

const box = (y: number, width: number, colour: string) =>
  `<rect x="0" y="${y}" width="${round(Math.max(0, width))}" height="${bar.height - 4}" fill="${colour}"/>`

function text(
  x: number,
  y: number,
  words: string,
  anchor: 'start' | 'middle' | 'end',
  size: number,
  weight: 'normal' | 'bold' = 'normal',
): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const place = `x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"`
  return `<text ${place} font-size="${size}" font-weight="${weight}" fill="${ink}">${escaped}</text>`
}

const round = (value: number) => Math.round(value * 10) / 10
