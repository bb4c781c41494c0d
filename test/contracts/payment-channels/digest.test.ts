import {
  channelId,
  domainSeparator,
  fromHex,
  recoverSigner,
  releaseDigest,
  signDigest,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import { expect } from 'chai'
import fc from 'fast-check'
import { type Contracts, deployed, ethers, HOUR, MFT, networkHelpers } from '../support/chain.ts'
import { domainOf, releaseTypes, slotOf, vaultOf, voucherTypes } from '../support/channels.ts'

const { loadFixture } = networkHelpers
const RUNS = { numRuns: 25 }

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => toHex(bytes))
const account = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes) => ethers.getAddress(toHex(bytes)))
const epochs = fc.integer({ min: 0, max: 2 ** 24 - 1 })
const amounts = fc.bigInt({ min: 0n, max: 2n ** 96n - 1n })

async function separatorOf({ channels }: Contracts): Promise<Uint8Array> {
  const { chainId } = await ethers.provider.getNetwork()
  return domainSeparator({ chainId, contract: fromHex(await channels.getAddress()) })
}

describe('PaymentChannels hashes', () => {
  it('makes the voucher digest that ethers and the protocol package make', async () => {
    const contracts = await loadFixture(deployed)
    const domain = await domainOf(contracts)
    const separator = await separatorOf(contracts)
    const property = fc.asyncProperty(bytes32, epochs, amounts, async (id, epoch, amount) => {
      const onChain = await contracts.channels.digest(id, epoch, amount)
      const message = { channelId: id, epoch, amount }
      expect(onChain).to.equal(ethers.TypedDataEncoder.hash(domain, voucherTypes, message))
      const ours = voucherDigest(separator, { channelId: fromHex(id), epoch, amount })
      expect(onChain).to.equal(toHex(ours))
    })
    await fc.assert(property, RUNS)
  })

  it('makes the release digest that ethers and the protocol package make, never that of a voucher', async () => {
    const contracts = await loadFixture(deployed)
    const domain = await domainOf(contracts)
    const separator = await separatorOf(contracts)
    const property = fc.asyncProperty(bytes32, epochs, amounts, async (id, epoch, amount) => {
      const onChain = await contracts.channels.releaseDigest(id, epoch, amount)
      const message = { channelId: id, epoch, finalAmount: amount }
      expect(onChain).to.equal(ethers.TypedDataEncoder.hash(domain, releaseTypes, message))
      const ours = releaseDigest(separator, { channelId: fromHex(id), epoch, finalAmount: amount })
      expect(onChain).to.equal(toHex(ours))
      expect(onChain).not.to.equal(await contracts.channels.digest(id, epoch, amount))
    })
    await fc.assert(property, RUNS)
  })

  it('makes the channel id that the protocol package makes', async () => {
    const { channels } = await loadFixture(deployed)
    const accounts = fc.tuple(account, account, account, account)
    const property = fc.asyncProperty(
      accounts,
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      async ([payer, payee, token, signer], notice) => {
        const ours = channelId({
          payer: fromHex(payer),
          payee: fromHex(payee),
          token: fromHex(token),
          signer: fromHex(signer),
          noticeSeconds: notice,
        })
        const onChain = await channels.idOf(payer, { payee, token, signer, notice })
        expect(onChain).to.equal(toHex(ours))
      },
    )
    await fc.assert(property, RUNS)
  })

  it('names its domain as ERC-5267 has it', async () => {
    const contracts = await loadFixture(deployed)
    const domain = await contracts.channels.eip712Domain()
    const { name, version, chainId, verifyingContract } = await domainOf(contracts)
    expect([domain.name, domain.version, domain.chainId, domain.verifyingContract]).to.deep.equal([
      name,
      version,
      chainId,
      verifyingContract,
    ])
  })

  it('pays a voucher that the protocol package signed', async () => {
    const contracts = await loadFixture(deployed)
    const { token, channels, alice, bob } = contracts
    const mft = await token.getAddress()
    const secret = new Uint8Array(32).fill(7)
    const signer = new ethers.SigningKey(secret)
    const address = ethers.computeAddress(signer.publicKey)
    const terms = { payee: bob.address, token: mft, signer: address, notice: HOUR }
    await token.connect(alice).approve(channels, MFT)
    await channels.connect(alice).open(terms, MFT, 0)
    const id = await channels.idOf(alice.address, terms)
    const voucher = { channelId: fromHex(id), epoch: 1, amount: 5n }
    const digest = voucherDigest(await separatorOf(contracts), voucher)
    const signature = signDigest(digest, secret)
    const recovered = recoverSigner(digest, signature)
    expect(recovered && ethers.getAddress(toHex(recovered))).to.equal(address)
    const r = toHex(signature.subarray(0, 32))
    const vs = toHex(signature.subarray(32))
    const row = { payer: alice.address, signer: address, amount: 5n, r, vs }
    await channels.claim(bob.address, mft, HOUR, [row])
    expect(await vaultOf(contracts, mft, bob)).to.equal(5n)
    expect((await slotOf(contracts, id)).claimed).to.equal(5n)
  })
})
