import fc from 'fast-check'

/**
 * Where random tests begin: at the same place each time, so that a change is judged by what it
 * changed. Elsewhere: `SHARDLOG_SEED=$RANDOM npx vitest run FILE`.
 */
export const SEED = Number(process.env.SHARDLOG_SEED ?? 1_912_652_183)

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED })

export default fc
