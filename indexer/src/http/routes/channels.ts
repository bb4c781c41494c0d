import { Type } from 'typebox'
import { findChannel, listChannels } from '../../repositories/channels.ts'
import { type ApiContext, type App, lowerHex, readAnswer, responses } from '../context.ts'
import { notFound } from '../problems.ts'
import { Address, ChannelAnswer, ChannelsAnswer, Limit, Word } from '../schemas.ts'

const ChannelsQuery = Type.Object(
  { limit: Limit, cursor: Type.Optional(Word) },
  { additionalProperties: false },
)

export function registerChannelRoutes(app: App, context: ApiContext): void {
  app.get(
    '/v1/channels/:id',
    {
      schema: {
        summary: 'One payment channel',
        params: Type.Object({ id: Word }),
        response: responses(ChannelAnswer),
      },
    },
    ({ params }) =>
      readAnswer(context, async (tx, meta) => {
        const channel = await findChannel(tx, lowerHex(params.id))
        if (!channel) throw notFound('channel with this id')
        return { meta, channel }
      }),
  )

  app.get(
    '/v1/accounts/:address/channels',
    {
      schema: {
        summary: 'Channels that an account pays by or is paid by, a page at a time',
        params: Type.Object({ address: Address }),
        querystring: ChannelsQuery,
        response: responses(ChannelsAnswer),
      },
    },
    ({ params, query }) =>
      readAnswer(context, async (tx, meta) => {
        const page = await listChannels(tx, {
          account: lowerHex(params.address),
          limit: query.limit,
          after: lowerHex(query.cursor),
        })
        return { meta, ...page }
      }),
  )
}
