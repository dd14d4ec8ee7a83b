import type { LogFnFields as RootFields } from '../index'
import type { LogFnFields as PinoFields } from './index'

// In a file of its own, which the ES modules' declarations re-export whole: that is how augmenting them reaches it.

/** Which fields log calls must or must not carry: what programs add to the interface of this name in the package's modules. */
export interface LogFnFields extends RootFields, PinoFields {}
