import type { Stream } from '../../graph/stream.ts'
import type { TaskLane } from './task.ts'

/** The rows of a picture that are expectations. */
export type ExpectedName = 'out' | 'captured' | 'effects'

/** The names of a picture's input lanes, read from its text. */
export type LaneName<Text extends string> = string extends Text
  ? string
  : NameOfLine<Text extends `${infer Line}\n${string}` ? Line : Text> | RestOf<Text>

/** A picture's input lanes by name: streams, and for `task` what the task takes. */
export type Lanes<Name extends string = string> = {
  readonly [N in Name]: N extends 'task' ? TaskLane : Stream<string>
}

type RestOf<Text extends string> = Text extends `${string}\n${infer Rest}` ? LaneName<Rest> : never

type NameOfLine<Line extends string> =
  TrimStart<Line> extends `${infer Name} ${string}`
    ? Name extends ExpectedName | '&' | LegendName<Name>
      ? never
      : Name
    : never

type TrimStart<Text extends string> = Text extends ` ${infer Rest}` ? TrimStart<Rest> : Text

/** The name itself, if it is one small letter, which stands for an element. */
type LegendName<Name extends string> = Name extends `${infer Letter}${infer Rest}`
  ? Rest extends ''
    ? Exclude<Letter, Uppercase<Letter>>
    : never
  : never
