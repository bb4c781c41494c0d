import { Type } from 'typebox'
import { findChannel, listChannels } from '../../repositories/channels.ts'
import { type ApiContext, type App, lowerHex, responses } from '../context.ts'
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
    async ({ params }) => {
      const { meta, channel } = await findChannel(context.db, lowerHex(params.id))
      if (!channel) throw notFound('channel with this id')
      return { meta, channel }
    },
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
      listChannels(context.db, {
        account: lowerHex(params.address),
        limit: query.limit,
        after: lowerHex(query.cursor),
      }),
  )
}
