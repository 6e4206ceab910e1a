import { describeKills } from './online-kills.ts'

// All of them: file-online-kill.long.ts.
describeKills(5)
