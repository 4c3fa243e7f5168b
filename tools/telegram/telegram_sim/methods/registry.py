"""Which function serves which method; names compare without case, as on the real server."""

from __future__ import annotations

from collections.abc import Mapping

from telegram_sim.methods import (
    callbacks,
    chats,
    commands,
    copying,
    deleting,
    editing,
    files,
    hooks,
    identity,
    joining,
    links,
    media,
    moderation,
    pins,
    polling,
    sending,
    topics,
)
from telegram_sim.methods.call import Handler


def all_methods() -> Mapping[str, Handler]:
    """Every method by its documented name."""
    return session_methods() | message_methods() | chat_methods()


def session_methods() -> dict[str, Handler]:
    """The bot itself and its updates."""
    return {
        "getMe": identity.get_me,
        "logOut": identity.log_out,
        "close": identity.close,
        "setMyCommands": commands.set_my_commands,
        "getMyCommands": commands.get_my_commands,
        "deleteMyCommands": commands.delete_my_commands,
        "setWebhook": hooks.set_webhook,
        "deleteWebhook": hooks.delete_webhook,
        "getWebhookInfo": hooks.get_webhook_info,
        "getUpdates": polling.get_updates,
        "getFile": files.get_file,
    }


def message_methods() -> dict[str, Handler]:
    """What makes, changes and removes messages."""
    return {
        "sendMessage": sending.send_message,
        "sendChatAction": sending.send_chat_action,
        "sendPhoto": media.send_photo,
        "sendVideo": media.send_video,
        "sendDocument": media.send_document,
        "sendMediaGroup": media.send_media_group,
        "copyMessage": copying.copy_message,
        "copyMessages": copying.copy_messages,
        "forwardMessage": copying.forward_message,
        "editMessageText": editing.edit_message_text,
        "editMessageCaption": editing.edit_message_caption,
        "editMessageReplyMarkup": editing.edit_message_reply_markup,
        "deleteMessage": deleting.delete_message,
        "deleteMessages": deleting.delete_messages,
        "pinChatMessage": pins.pin_chat_message,
        "unpinChatMessage": pins.unpin_chat_message,
        "answerCallbackQuery": callbacks.answer_callback_query,
    }


def chat_methods() -> dict[str, Handler]:
    """Chats, their members, links and topics."""
    return {
        "getChat": chats.get_chat,
        "getChatMember": chats.get_chat_member,
        "getChatMemberCount": chats.get_chat_member_count,
        "getChatAdministrators": chats.get_chat_administrators,
        "leaveChat": chats.leave_chat,
        "banChatMember": moderation.ban_chat_member,
        "unbanChatMember": moderation.unban_chat_member,
        "restrictChatMember": moderation.restrict_chat_member,
        "promoteChatMember": moderation.promote_chat_member,
        "approveChatJoinRequest": joining.approve_chat_join_request,
        "declineChatJoinRequest": joining.decline_chat_join_request,
        "createChatInviteLink": links.create_chat_invite_link,
        "editChatInviteLink": links.edit_chat_invite_link,
        "revokeChatInviteLink": links.revoke_chat_invite_link,
        "exportChatInviteLink": links.export_chat_invite_link,
        "createForumTopic": topics.create_forum_topic,
        "closeForumTopic": topics.close_forum_topic,
        "reopenForumTopic": topics.reopen_forum_topic,
        "deleteForumTopic": topics.delete_forum_topic,
    }


def by_lower_name() -> Mapping[str, tuple[str, Handler]]:
    """The documented name and the function, by the name in lower case."""
    return {name.lower(): (name, handler) for name, handler in all_methods().items()}
